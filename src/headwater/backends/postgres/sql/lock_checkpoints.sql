-- Until the end of the transaction nobody else moves or rearranges ranges.
LOCK TABLE {schema}.checkpoints IN EXCLUSIVE MODE
