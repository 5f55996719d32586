-- The event log, version 3: the usual batch goes a way of its own, which is shorter. While it is stored, every other
-- writer waits. Usual is a batch of one run, all of whose items have one tag and the same set of types.

-- What appended so far goes on under another name. A copy, because the rights to `append_batch` stay with its name.
DO $$
BEGIN
    EXECUTE replace(
        pg_get_functiondef('append_batch'::regproc),
        format('FUNCTION %I.append_batch(', current_schema()), 'FUNCTION append_any_batch('
    );
END
$$;

-- Appends a batch of requests, each on its own condition, in one transaction and one round trip: see append_any_batch.
CREATE OR REPLACE FUNCTION append_batch(
    p_wary boolean,
    p_durable boolean,
    p_now bigint,
    p_types text [],
    p_sets text [],
    p_runs integer [],
    p_events integer [],
    p_items integer [],
    e_type integer [],
    e_version integer [],
    e_id uuid [],
    e_tags text [],
    e_metadata bytea [],
    e_data bytea [],
    i_request integer [],
    i_after bigint [],
    i_set integer [],
    i_lead text [],
    i_others text [],
    OUT o_head bigint,
    OUT o_requests integer [],
    OUT o_reasons integer [],
    OUT o_positions bigint []
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    separator CONSTANT text := U&'\001F';
    names CONSTANT text[] := string_to_array(p_sets[1], separator);
    type_ids integer[];
    set_ids integer[];
    has_many_tags CONSTANT boolean := strpos(array_to_string(e_tags, ''), separator) > 0;
BEGIN
    IF NOT p_wary AND cardinality(p_runs) = 1 AND cardinality(p_sets) <= 1 AND i_others = '{}'
        AND cardinality(i_lead) = cardinality(i_request) AND array_position(i_lead, NULL) IS NULL AND p_sets <> '{""}'
    THEN
        -- Types never change, so they are looked for before it is this batch's turn.
        type_ids := ARRAY(
            SELECT t.id FROM unnest(p_types) WITH ORDINALITY AS w(name, place)
            JOIN types AS t ON t.name = w.name ORDER BY w.place
        );
        IF cardinality(type_ids) = cardinality(p_types) THEN
            set_ids := ARRAY(SELECT t.id FROM unnest(names) AS w(name) JOIN types AS t ON t.name = w.name);
            o_head := take_turn(p_durable);
            IF cardinality(set_ids) < cardinality(names) THEN
                set_ids := ARRAY(SELECT t.id FROM unnest(names) AS w(name) JOIN types AS t ON t.name = w.name);
            END IF;
            IF NOT EXISTS (
                SELECT FROM (SELECT unnest(i_lead) AS lead, unnest(i_after) AS after OFFSET 0) AS i
                JOIN event_tags AS t ON t.tag = i.lead AND t.type = ANY(set_ids) AND t.position > i.after
                WHERE i.after < o_head
            ) THEN
                INSERT INTO events (position, type, version, recorded_us, id, tags, metadata, data)
                SELECT
                    o_head + e.place, type_ids[e.type], e.version, p_now, e.id, coalesce(e.tags, ''), e.metadata, e.data
                FROM (
                    SELECT
                        generate_series(1, cardinality(e_type)) AS place, unnest(e_type) AS type,
                        unnest(e_version) AS version, unnest(e_id) AS id, unnest(e_tags) AS tags,
                        unnest(e_metadata) AS metadata, unnest(e_data) AS data
                    OFFSET 0
                ) AS e;
                IF has_many_tags THEN
                    INSERT INTO event_tags (tag, type, position)
                    SELECT unnest(string_to_array(e.tags, separator)), type_ids[e.type], o_head + e.place
                    FROM unnest(e_tags, e_type) WITH ORDINALITY AS e(tags, type, place);
                ELSE
                    INSERT INTO event_tags (tag, type, position)
                    SELECT e.tag, type_ids[e.type], o_head + e.place
                    FROM (
                        SELECT
                            generate_series(1, cardinality(e_type)) AS place, unnest(e_type) AS type,
                            unnest(e_tags) AS tag
                        OFFSET 0
                    ) AS e
                    WHERE e.tag IS NOT NULL;
                END IF;
                o_requests := '{}';
                o_reasons := '{}';
                o_positions := '{}';
                RETURN;
            END IF;
        END IF;
    END IF;
    SELECT a.o_head, a.o_requests, a.o_reasons, a.o_positions INTO o_head, o_requests, o_reasons, o_positions
    FROM append_any_batch(
        p_wary, p_durable, p_now, p_types, p_sets, p_runs, p_events, p_items, e_type, e_version, e_id, e_tags,
        e_metadata, e_data, i_request, i_after, i_set, i_lead, i_others
    ) AS a;
END
$$;

REVOKE ALL ON FUNCTION append_any_batch FROM PUBLIC;
