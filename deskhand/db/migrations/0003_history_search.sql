-- The search over a tenant's history. Under row-level security a text search cannot use its index (its operators are
-- not leakproof, so the policy must be checked first, row by row). So it is a function of a role that nobody can log in
-- as and that sees every row, with the tenant taken from the transaction: no argument can name another.

CREATE POLICY search ON ticket_history FOR SELECT TO deskhand_search USING (true);
GRANT SELECT ON ticket_history TO deskhand_search;

CREATE FUNCTION search_ticket_history(
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
    terms text[];
    query tsquery;
BEGIN
    IF tenant IS NULL THEN
        RAISE EXCEPTION 'deskhand.tenant_id is not set' USING ERRCODE = 'insufficient_privilege';
    END IF;

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
            WHERE t.tenant_id = tenant AND t.search @@ query
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
            WHERE t.tenant_id = tenant AND t.subject % query_subject
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

REVOKE ALL ON FUNCTION search_ticket_history FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_ticket_history TO deskhand_app;

-- Handing a function over needs membership in the new owner, who needs CREATE on the schema. Both end here again, within
-- this transaction: a lasting membership would give deskhand_owner the policy above. (`WITH SET` would do from 16 on.)
GRANT CREATE ON SCHEMA public TO deskhand_search;
GRANT deskhand_search TO CURRENT_USER;
ALTER FUNCTION search_ticket_history OWNER TO deskhand_search;
REVOKE deskhand_search FROM CURRENT_USER;
REVOKE CREATE ON SCHEMA public FROM deskhand_search;
