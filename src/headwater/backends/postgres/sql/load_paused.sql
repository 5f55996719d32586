-- The projections that stand still by order.
SELECT projection FROM {schema}.paused
