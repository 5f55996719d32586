-- Sends a batch. Numbers and names come as text, which the driver encodes in a third of the time that arrays take it;
-- an empty name means none. Binds: see the function.
SELECT * FROM {schema}.append_batch(
    $1, $2, $3, $4, $5,
    $6::text::integer [], $7::text::integer [], $8::text::integer [],
    $9::text::integer [], $10::text::integer [], $11, string_to_array($12::text, U&'\001E', ''), $13, $14,
    $15::text::integer [], $16::text::bigint [], $17::text::integer [],
    string_to_array($18::text, U&'\001E', ''), string_to_array($19::text, U&'\001E', '')
)
