-- How long a tenant's history is kept. What is past its time is not found, whether or not anything has swept it yet.

-- Since when what is resolved is kept, for the transaction's tenant. Rights are the caller's: a tenant sees its own row.
CREATE FUNCTION kept_since() RETURNS timestamptz
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    AS $$
        SELECT COALESCE(
            (
                SELECT now() - make_interval(days => (settings ->> 'retention_days')::integer)
                FROM tenant_configs WHERE tenant_id = current_tenant()
            ),
            '-infinity'
        )
    $$;
REVOKE ALL ON FUNCTION kept_since FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kept_since TO deskhand_app, deskhand_search;

GRANT SELECT (tenant_id, settings) ON tenant_configs TO deskhand_search;
CREATE POLICY own_tenant_retention ON tenant_configs FOR SELECT TO deskhand_search
    USING (tenant_id = current_tenant());

-- For the sweep, and for an operator who asks how old a tenant's history is.
CREATE INDEX ticket_history_resolved ON ticket_history (tenant_id, resolved_at);

-- The function of 0003, with nothing else changed. It belongs to deskhand_search and is replaced as that role's member:
-- for this transaction only, as in 0003.
GRANT deskhand_search TO CURRENT_USER;

CREATE OR REPLACE FUNCTION search_ticket_history(
    query_tool text,
    query_ticket_id text,
    query_language text,
    query_subject text,
    query_text text,
    query_limit integer
) RETURNS TABLE (
    ticket_id text, subject text, resolution text, url text, resolved_at timestamptz, score double precision
)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    tenant CONSTANT text := NULLIF(current_setting('deskhand.tenant_id', true), '');
    since timestamptz;
    terms text[];
    query tsquery;
BEGIN
    IF tenant IS NULL THEN
        RAISE EXCEPTION 'deskhand.tenant_id is not set' USING ERRCODE = 'insufficient_privilege';
    END IF;
    since := kept_since();

    -- The subject's words first, then those that the text repeats: more would match half of the history.
    SELECT array_agg(word.lexeme) INTO terms
    FROM (
        SELECT v.lexeme
        FROM unnest(
            setweight(to_tsvector(query_language::regconfig, query_subject), 'A')
                || to_tsvector(query_language::regconfig, query_text)
        ) AS v
        ORDER BY 'A' = ANY (v.weights) DESC, cardinality(v.positions) DESC, v.positions[1]
        LIMIT 24
    ) AS word;
    SELECT string_agg('''' || replace(replace(term, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery INTO query
    FROM unnest(terms) AS term;

    -- Two rankings (words, likeness of the subject), put together by reciprocal rank fusion with its customary 60.
    RETURN QUERY
    WITH worded AS (
        SELECT h.tool, h.ticket_id, row_number() OVER (ORDER BY h.rank DESC, h.resolved_at DESC) AS place
        FROM (
            SELECT t.tool, t.ticket_id, t.search, t.resolved_at, ts_rank(t.search, query, 1) AS rank
            FROM ticket_history AS t
            WHERE t.tenant_id = tenant AND t.search @@ query AND t.resolved_at >= since
                AND (t.tool, t.ticket_id) <> (query_tool, query_ticket_id)
            ORDER BY rank DESC, t.resolved_at DESC
            LIMIT 50
        ) AS h
        -- One shared word is no likeness, unless the query has no more.
        WHERE (SELECT count(*) FROM unnest(terms) AS term WHERE term = ANY (tsvector_to_array(h.search)))
            >= least(2, cardinality(terms))
    ), alike AS (
        SELECT h.tool, h.ticket_id, row_number() OVER (ORDER BY h.likeness DESC, h.resolved_at DESC) AS place
        FROM (
            SELECT t.tool, t.ticket_id, t.resolved_at, similarity(t.subject, query_subject) AS likeness
            FROM ticket_history AS t
            WHERE t.tenant_id = tenant AND t.subject % query_subject AND t.resolved_at >= since
                AND (t.tool, t.ticket_id) <> (query_tool, query_ticket_id)
            ORDER BY likeness DESC, t.resolved_at DESC
            LIMIT 50
        ) AS h
    ), fused AS (
        SELECT p.tool, p.ticket_id, sum(1.0 / (60 + p.place))::double precision AS points
        FROM (SELECT * FROM worded UNION ALL SELECT * FROM alike) AS p
        GROUP BY p.tool, p.ticket_id
    )
    SELECT t.ticket_id, t.subject, t.resolution, t.url, t.resolved_at,
        -- What says how it was solved helps more.
        f.points * CASE WHEN t.resolution <> '' THEN 1.0 ELSE 0.7 END AS final_score
    FROM fused AS f
    JOIN ticket_history AS t ON t.tenant_id = tenant AND t.tool = f.tool AND t.ticket_id = f.ticket_id
    ORDER BY final_score DESC, t.resolved_at DESC, t.ticket_id
    LIMIT least(query_limit, 50);
END
$$;

REVOKE deskhand_search FROM CURRENT_USER;
