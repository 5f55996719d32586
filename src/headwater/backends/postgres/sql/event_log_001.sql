-- The event log, version 1. Runs with the log's schema as search path.
-- A type is looked for as a range of (type, position): asked for `type = x` after a position, a planner with statistics
-- hopes to meet it soon on its way along the positions, and reads the whole log if the type is rare.
-- Text is compared byte by byte (collation "C"): quick, and the same on every machine.
CREATE TABLE types (
    id integer PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);

-- Tags stand here joined by U+001F, so that reading an event needs no second table.
CREATE TABLE events (
    position bigint PRIMARY KEY,
    type integer NOT NULL,
    version integer NOT NULL,
    recorded_us bigint NOT NULL,
    id uuid NOT NULL,
    tags text COLLATE "C" NOT NULL,
    metadata bytea NOT NULL,
    data bytea NOT NULL
);

CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE INDEX events_by_type ON events (type, position);

CREATE TABLE event_tags (
    tag text COLLATE "C" NOT NULL,
    type integer NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tag, type, position)
);

CREATE TABLE snapshots (
    key text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    fingerprint text NOT NULL,
    state bytea NOT NULL
);

-- For people: the log with names and times.
CREATE VIEW event_log AS
SELECT
    events.position,
    types.name AS type,
    events.version,
    to_timestamp(events.recorded_us / 1e6) AS recorded_at,
    events.id,
    string_to_array(events.tags, U&'\001F') AS tags,
    convert_from(events.metadata, 'UTF8') AS metadata,
    convert_from(events.data, 'UTF8') AS data
FROM events
JOIN types ON types.id = events.type;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% cannot be changed', TG_TABLE_NAME USING ERRCODE = 'HW002';
END
$$;

CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER event_tags_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event_tags
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER types_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON types
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Where exactly these events stand already: the first one's position, -1 if only some do or in another order, NULL if
-- none does.
CREATE FUNCTION repeat_of(p_ids uuid []) RETURNS bigint
LANGUAGE plpgsql
SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
    found bigint[] := (
        SELECT array_agg(e.position ORDER BY w.place)
        FROM unnest(p_ids) WITH ORDINALITY AS w(id, place)
        JOIN events AS e ON e.id = w.id
    );
BEGIN
    IF found IS NULL OR found[cardinality(p_ids)] - found[1] = cardinality(p_ids) - 1
        AND found = (SELECT array_agg(n) FROM generate_series(found[1], found[cardinality(found)]) AS n)
    THEN
        RETURN found[1];
    END IF;
    RETURN -1;
END
$$;

-- Takes the turn of the log's only writer until the transaction ends, and gives the head as it then is.
CREATE FUNCTION take_turn(p_durable boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path FROM CURRENT SET enable_seqscan = off
AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'appends run in READ COMMITTED, where each statement sees what others committed'
        USING ERRCODE = 'HW001';
    END IF;
    IF p_durable AND current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    ELSIF NOT p_durable THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    PERFORM pg_advisory_xact_lock((18519::bigint << 32) + 'events'::regclass::oid::bigint);
    -- A statement of its own: its snapshot is taken after the lock was granted.
    RETURN coalesce((SELECT position FROM events ORDER BY position DESC LIMIT 1), 0);
END
$$;

-- The numbers of these types; new ones get theirs. To be called in turn.
CREATE FUNCTION type_numbers(p_names text []) RETURNS integer []
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO types (id, name)
    SELECT (SELECT coalesce(max(id), 0) FROM types) + row_number() OVER (), w.name
    FROM unnest(p_names) AS w(name)
    WHERE NOT EXISTS (SELECT FROM types AS t WHERE t.name = w.name);
    RETURN (
        SELECT array_agg(t.id ORDER BY w.place)
        FROM unnest(p_names) WITH ORDINALITY AS w(name, place)
        JOIN types AS t ON t.name = w.name
    );
END
$$;

-- Appends a batch of requests, each on its own condition, in one transaction and one round trip.
--
-- Requests come in runs: no condition in a run can match an event that an earlier request of the same run brings, so a
-- run is checked and stored as a set. p_runs, p_events and p_items say for each run its last request, for each request
-- its last event and its last item of a condition.
-- An item fails its request if after i_after an event stands that has the tag i_lead (if any) and all of i_others, and
-- one of the types of set number i_set.
-- Gives the head before, and for each request that was not stored: its number, why (1 conflict, 2 repeat, 3 some ids
-- are stored already), and the position that matches or where the repeat stands.
-- Ids are trusted unless p_wary; an id that exists fails the whole batch, which is then sent again, warily.
CREATE FUNCTION append_batch(
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
    head bigint := take_turn(p_durable);
    type_ids integer[] := type_numbers(p_types);
    sets text[];
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
    o_head := head;
    o_requests := '{}';
    o_reasons := '{}';
    o_positions := '{}';
    IF cardinality(p_sets) > 0 THEN
        sets := (
            SELECT array_agg(
                (
                    SELECT coalesce(array_agg(t.id ORDER BY t.id), '{}')::text FROM types AS t
                    WHERE s.names = '' OR t.name = ANY(string_to_array(s.names, separator))
                ) ORDER BY s.place
            )
            FROM unnest(p_sets) WITH ORDINALITY AS s(names, place)
        );
    END IF;

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
                SELECT c.request, max(m.position) AS position
                FROM unnest(
                    i_request[first_item:p_items[last_request]], i_after[first_item:p_items[last_request]],
                    i_set[first_item:p_items[last_request]], i_lead[first_item:p_items[last_request]],
                    i_others[first_item:p_items[last_request]]
                ) AS c(request, after, set, lead, others)
                CROSS JOIN LATERAL (
                    (
                        SELECT t.position FROM event_tags AS t
                        WHERE t.tag = c.lead AND t.type = ANY(sets[c.set]::integer[]) AND t.position > c.after
                            AND (c.others IS NULL OR NOT EXISTS (
                                SELECT FROM unnest(string_to_array(c.others, separator)) AS o(tag)
                                WHERE NOT EXISTS (
                                    SELECT FROM event_tags AS x
                                    WHERE x.tag = o.tag AND x.type = t.type AND x.position = t.position
                                )
                            ))
                        LIMIT 1
                    )
                    UNION ALL
                    (
                        SELECT found.position
                        FROM unnest(sets[c.set]::integer[]) AS wanted(type) CROSS JOIN LATERAL (
                            SELECT e.position FROM events AS e
                            WHERE (e.type, e.position) > (wanted.type, c.after)
                                AND (e.type, e.position) < (wanted.type + 1, 0)
                            ORDER BY e.type, e.position LIMIT 1
                        ) AS found
                        WHERE c.lead IS NULL
                        LIMIT 1
                    )
                ) AS m
                WHERE c.after < head
                GROUP BY c.request
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

-- Stores events of another log as they stand there, if they go on from this log's head. Gives the head before.
CREATE FUNCTION copy_batch(
    p_durable boolean,
    p_first bigint,
    p_types text [],
    e_type integer [],
    e_version integer [],
    e_recorded bigint [],
    e_id uuid [],
    e_tags text [],
    e_metadata bytea [],
    e_data bytea []
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET jit = off
AS $$
DECLARE
    head bigint := take_turn(p_durable);
    type_ids integer[];
BEGIN
    IF head <> p_first - 1 THEN
        RETURN head;
    END IF;
    type_ids := type_numbers(p_types);
    WITH placed AS (
        INSERT INTO events (position, type, version, recorded_us, id, tags, metadata, data)
        SELECT head + e.place, type_ids[e.type], e.version, e.recorded, e.id, e.tags, e.metadata, e.data
        FROM unnest(e_type, e_version, e_recorded, e_id, e_tags, e_metadata, e_data)
            WITH ORDINALITY AS e(type, version, recorded, id, tags, metadata, data, place)
        RETURNING events.position, events.type, events.tags
    )
    INSERT INTO event_tags (tag, type, position)
    SELECT unnest(string_to_array(placed.tags, U&'\001F')), placed.type, placed.position FROM placed;
    RETURN head;
END
$$;

-- Reads the events of a query and the head, both in the snapshot of the caller's statement.
--
-- For each item its tags and its types, joined by U+001F; no items mean every event. The first row has the head as its
-- position and nothing else. Each item is one index scan for each type, merged in the log's order; a limit ends them all.
CREATE FUNCTION read_events(
    p_tags text [], p_types text [], p_after bigint, p_limit bigint, p_backwards boolean
) RETURNS TABLE (
    r_position bigint, r_type integer, r_version integer, r_data bytea, r_tags text, r_metadata bytea,
    r_id bytea, r_recorded_us bigint
)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    separator CONSTANT text := U&'\001F';
BEGIN
    r_position := coalesce((SELECT e.position FROM events AS e ORDER BY e.position DESC LIMIT 1), 0);
    RETURN NEXT;
    IF cardinality(p_tags) = 0 AND p_backwards THEN
        RETURN QUERY
        SELECT e.position, e.type, e.version, e.data, e.tags, e.metadata, uuid_send(e.id), e.recorded_us
        FROM events AS e WHERE e.position > p_after ORDER BY e.position DESC LIMIT p_limit;
    ELSIF cardinality(p_tags) = 0 THEN
        RETURN QUERY
        SELECT e.position, e.type, e.version, e.data, e.tags, e.metadata, uuid_send(e.id), e.recorded_us
        FROM events AS e WHERE e.position > p_after ORDER BY e.position LIMIT p_limit;
    ELSIF p_backwards THEN
        RETURN QUERY
        WITH legs AS MATERIALIZED (
            SELECT nullif(i.tags, '') AS tags, split_part(i.tags, separator, 1) AS lead, t.id AS type
            FROM unnest(p_tags, p_types) AS i(tags, types)
            JOIN types AS t ON i.types = '' OR t.name = ANY(string_to_array(i.types, separator))
        ),
        found AS MATERIALIZED (
            SELECT DISTINCT m.position
            FROM legs AS l CROSS JOIN LATERAL (
                (
                    SELECT t.position FROM event_tags AS t
                    WHERE l.tags IS NOT NULL AND t.tag = l.lead AND t.type = l.type AND t.position > p_after
                        AND (l.tags = l.lead OR NOT EXISTS (
                            SELECT FROM unnest(string_to_array(l.tags, separator)) AS o(tag)
                            WHERE NOT EXISTS (
                                SELECT FROM event_tags AS x
                                WHERE x.tag = o.tag AND x.type = t.type AND x.position = t.position
                            )
                        ))
                    ORDER BY t.position DESC LIMIT p_limit
                )
                UNION ALL
                (
                    SELECT e.position FROM events AS e
                    WHERE l.tags IS NULL
                        AND (e.type, e.position) > (l.type, p_after) AND (e.type, e.position) < (l.type + 1, 0)
                    ORDER BY e.type DESC, e.position DESC LIMIT p_limit
                )
            ) AS m
            ORDER BY m.position DESC LIMIT p_limit
        )
        SELECT e.position, e.type, e.version, e.data, e.tags, e.metadata, uuid_send(e.id), e.recorded_us
        FROM found AS f JOIN events AS e ON e.position = f.position ORDER BY f.position DESC;
    ELSE
        RETURN QUERY
        WITH legs AS MATERIALIZED (
            SELECT nullif(i.tags, '') AS tags, split_part(i.tags, separator, 1) AS lead, t.id AS type
            FROM unnest(p_tags, p_types) AS i(tags, types)
            JOIN types AS t ON i.types = '' OR t.name = ANY(string_to_array(i.types, separator))
        ),
        found AS MATERIALIZED (
            SELECT DISTINCT m.position
            FROM legs AS l CROSS JOIN LATERAL (
                (
                    SELECT t.position FROM event_tags AS t
                    WHERE l.tags IS NOT NULL AND t.tag = l.lead AND t.type = l.type AND t.position > p_after
                        AND (l.tags = l.lead OR NOT EXISTS (
                            SELECT FROM unnest(string_to_array(l.tags, separator)) AS o(tag)
                            WHERE NOT EXISTS (
                                SELECT FROM event_tags AS x
                                WHERE x.tag = o.tag AND x.type = t.type AND x.position = t.position
                            )
                        ))
                    ORDER BY t.position LIMIT p_limit
                )
                UNION ALL
                (
                    SELECT e.position FROM events AS e
                    WHERE l.tags IS NULL
                        AND (e.type, e.position) > (l.type, p_after) AND (e.type, e.position) < (l.type + 1, 0)
                    ORDER BY e.type, e.position LIMIT p_limit
                )
            ) AS m
            ORDER BY m.position LIMIT p_limit
        )
        SELECT e.position, e.type, e.version, e.data, e.tags, e.metadata, uuid_send(e.id), e.recorded_us
        FROM found AS f JOIN events AS e ON e.position = f.position ORDER BY f.position;
    END IF;
END
$$;

-- Functions belong to everybody unless somebody says otherwise, and these write as their owner.
REVOKE ALL ON FUNCTION append_batch, copy_batch, take_turn, type_numbers, repeat_of FROM PUBLIC;
