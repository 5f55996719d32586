-- The event log, version 2: the function that appends is quicker. While it runs, every other writer waits.
-- A batch of one run of which nothing is refused is stored from its arrays as they came, without cutting, filtering and
-- counting; and items with tags and items without are looked for apart, so that most conditions are one index scan.

-- The sets of types of conditions, as numbers. A set is complete if every type it names is known, and it names some.
CREATE FUNCTION type_sets(p_sets text [], OUT o_sets text [], OUT o_complete boolean)
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    SELECT array_agg(s.ids::text ORDER BY s.place), coalesce(bool_and(cardinality(s.ids) = s.named), true)
    INTO o_sets, o_complete
    FROM (
        SELECT
            w.place,
            CASE w.names WHEN '' THEN -1 ELSE cardinality(string_to_array(w.names, U&'\001F')) END AS named,
            ARRAY(
                SELECT t.id FROM types AS t
                WHERE w.names = '' OR t.name = ANY(string_to_array(w.names, U&'\001F')) ORDER BY t.id
            ) AS ids
        FROM unnest(p_sets) WITH ORDINALITY AS w(names, place)
    ) AS s;
END
$$;

-- Appends a batch of requests, each on its own condition, in one transaction and one round trip.
--
-- Requests come in runs: no condition in a run can match an event that an earlier request of the same run brings, so a
-- run is checked and stored as a set. p_runs, p_events and p_items say for each run its last request, for each request
-- its last event and its last item of a condition.
-- i_set may be empty if all items are of the first set, and i_others if none has more tags than i_lead.
-- An item fails its request if after i_after an event stands that has the tag i_lead (if any) and all of i_others, and
-- one of the types of set number i_set.
-- Gives the head before, and for each request that was not stored: its number, why (1 conflict, 2 repeat, 3 some ids
-- are stored already), and the position that matches or where the repeat stands.
-- Ids are trusted unless p_wary; an id that exists fails the whole batch, which is then sent again, warily.
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
    -- Types never change, so those that are known are looked for before it is this batch's turn.
    type_ids integer[] := (
        SELECT array_agg(t.id ORDER BY w.place)
        FROM unnest(p_types) WITH ORDINALITY AS w(name, place)
        JOIN types AS t ON t.name = w.name
    );
    sets text[];
    are_complete boolean;
    head bigint;
    first_request integer := 1;
    last_request integer;
    first_event integer;
    first_item integer;
    requests integer[];
    positions bigint[];
    refused integer[];
    number integer;
    repeated bigint;
BEGIN
    SELECT o_sets, o_complete INTO sets, are_complete FROM type_sets(p_sets);
    head := take_turn(p_durable);
    IF coalesce(cardinality(type_ids), 0) < cardinality(p_types) THEN
        type_ids := type_numbers(p_types);
    END IF;
    IF NOT are_complete THEN
        SELECT o_sets INTO sets FROM type_sets(p_sets);
    END IF;
    o_head := head;
    o_requests := '{}';
    o_reasons := '{}';
    o_positions := '{}';

    FOREACH last_request IN ARRAY p_runs LOOP
        first_event := CASE first_request WHEN 1 THEN 1 ELSE p_events[first_request - 1] + 1 END;
        first_item := CASE first_request WHEN 1 THEN 1 ELSE p_items[first_request - 1] + 1 END;
        refused := '{}';

        -- Warily, a run is one request.
        IF p_wary THEN
            repeated := repeat_of(e_id[first_event:p_events[last_request]]);
            IF repeated IS NOT NULL THEN
                refused := ARRAY[last_request];
                o_requests := o_requests || last_request;
                o_reasons := o_reasons || CASE WHEN repeated > 0 THEN 2 ELSE 3 END;
                o_positions := o_positions || repeated;
            END IF;
        END IF;

        IF p_items[last_request] >= first_item AND cardinality(refused) = 0 THEN
            SELECT array_agg(f.request), array_agg(f.position) INTO requests, positions
            FROM (
                SELECT m.request, max(m.position) AS position
                FROM (
                    SELECT c.request, found.position
                    FROM unnest(
                        i_request[first_item:p_items[last_request]], i_after[first_item:p_items[last_request]],
                        i_set[first_item:p_items[last_request]], i_lead[first_item:p_items[last_request]],
                        i_others[first_item:p_items[last_request]]
                    ) AS c(request, after, set, lead, others)
                    CROSS JOIN LATERAL (
                        SELECT t.position FROM event_tags AS t
                        WHERE t.tag = c.lead AND t.type = ANY(sets[coalesce(c.set, 1)]::integer[])
                            AND t.position > c.after
                            AND (c.others IS NULL OR NOT EXISTS (
                                SELECT FROM unnest(string_to_array(c.others, separator)) AS o(tag)
                                WHERE NOT EXISTS (
                                    SELECT FROM event_tags AS x
                                    WHERE x.tag = o.tag AND x.type = t.type AND x.position = t.position
                                )
                            ))
                        LIMIT 1
                    ) AS found
                    WHERE c.after < head
                    UNION ALL
                    SELECT c.request, found.position
                    FROM unnest(
                        i_request[first_item:p_items[last_request]], i_after[first_item:p_items[last_request]],
                        i_set[first_item:p_items[last_request]], i_lead[first_item:p_items[last_request]]
                    ) AS c(request, after, set, lead)
                    CROSS JOIN LATERAL (
                        SELECT first.position
                        FROM unnest(sets[coalesce(c.set, 1)]::integer[]) AS wanted(type) CROSS JOIN LATERAL (
                            SELECT e.position FROM events AS e
                            WHERE (e.type, e.position) > (wanted.type, c.after)
                                AND (e.type, e.position) < (wanted.type + 1, 0)
                            ORDER BY e.type, e.position LIMIT 1
                        ) AS first
                        LIMIT 1
                    ) AS found
                    WHERE (i_lead = '{}' OR array_position(i_lead, NULL) IS NOT NULL)
                        AND c.lead IS NULL AND c.after < head
                ) AS m
                GROUP BY m.request
            ) AS f;
            refused := coalesce(requests, '{}');
            FOR place IN 1..cardinality(refused) LOOP
                number := requests[place];
                repeated := repeat_of(
                    e_id[CASE number WHEN 1 THEN 1 ELSE p_events[number - 1] + 1 END:p_events[number]]
                );
                o_requests := o_requests || number;
                o_reasons := o_reasons || CASE WHEN repeated IS NULL THEN 1 WHEN repeated > 0 THEN 2 ELSE 3 END;
                o_positions := o_positions || coalesce(repeated, positions[place]);
            END LOOP;
        END IF;

        -- The usual batch is one run of which nothing was refused: its arrays are stored as they came.
        IF cardinality(p_runs) = 1 AND cardinality(refused) = 0 THEN
            INSERT INTO events (position, type, version, recorded_us, id, tags, metadata, data)
            SELECT head + e.place, type_ids[e.type], e.version, p_now, e.id, coalesce(e.tags, ''), e.metadata, e.data
            FROM unnest(e_type, e_version, e_id, e_tags, e_metadata, e_data)
                WITH ORDINALITY AS e(type, version, id, tags, metadata, data, place);
            INSERT INTO event_tags (tag, type, position)
            SELECT unnest(string_to_array(e.tags, separator)), type_ids[e.type], head + e.place
            FROM unnest(e_tags, e_type) WITH ORDINALITY AS e(tags, type, place);
            RETURN;
        END IF;

        WITH placed AS (
            INSERT INTO events (position, type, version, recorded_us, id, tags, metadata, data)
            SELECT
                head + row_number() OVER (ORDER BY e.place),
                type_ids[e.type], e.version, p_now, e.id, coalesce(e.tags, ''), e.metadata, e.data
            FROM unnest(
                e_type[first_event:p_events[last_request]], e_version[first_event:p_events[last_request]],
                e_id[first_event:p_events[last_request]], e_tags[first_event:p_events[last_request]],
                e_metadata[first_event:p_events[last_request]], e_data[first_event:p_events[last_request]]
            ) WITH ORDINALITY AS e(type, version, id, tags, metadata, data, place)
            WHERE cardinality(refused) = 0 OR NOT EXISTS (
                SELECT FROM unnest(refused) AS r(number)
                WHERE e.place + first_event - 1 > coalesce(p_events[r.number - 1], 0)
                    AND e.place + first_event - 1 <= p_events[r.number]
            )
            RETURNING events.position, events.type, events.tags
        )
        INSERT INTO event_tags (tag, type, position)
        SELECT unnest(string_to_array(placed.tags, separator)), placed.type, placed.position FROM placed;

        head := head + p_events[last_request] - first_event + 1;
        FOREACH number IN ARRAY refused LOOP
            head := head - p_events[number] + CASE number WHEN 1 THEN 0 ELSE p_events[number - 1] END;
        END LOOP;
        first_request := last_request + 1;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION type_sets FROM PUBLIC;
