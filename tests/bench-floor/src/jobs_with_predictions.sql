SELECT json_build_object('data', json_build_object('jobs', json_build_object('nodes',
    (SELECT json_agg(row_to_json(page)) FROM (
        SELECT job.id, json_build_object('nodes', predictions.nodes) AS predictions
        FROM (SELECT id FROM bulk_upload_jobs WHERE organization_id = $1
              ORDER BY created_at DESC, id DESC LIMIT 20) AS job,
        LATERAL (SELECT json_agg(row_to_json(child)) AS nodes FROM (
            SELECT prediction.id, reporting_year AS "reportingYear", trim_scale(probability)::text AS probability,
                risk_level AS "riskLevel",
                json_build_object('id', company.id, 'name', company.name, 'symbol', company.symbol) AS company
            FROM (SELECT * FROM annual_predictions WHERE job_id = job.id AND organization_id = $1
                  ORDER BY id LIMIT 20) AS prediction
            JOIN companies AS company ON company.id = prediction.company_id ORDER BY prediction.id) AS child
        ) AS predictions) AS page))))::text
