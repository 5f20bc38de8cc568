SELECT json_build_object('data', json_build_object('jobs', json_build_object(
    'totalCount', (SELECT count(*) FROM bulk_upload_jobs WHERE organization_id = $1),
    'nodes', (SELECT json_agg(row_to_json(page)) FROM (
        SELECT id, upper(job_type) AS kind, upper(status) AS status, upper(origin) AS origin,
            original_filename AS "fileName", file_size AS "fileSize",
            json_build_object('succeeded', successful_rows, 'failed', failed_rows) AS progress,
            to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt",
            to_char(started_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "startedAt",
            to_char(completed_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "finishedAt"
        FROM bulk_upload_jobs WHERE organization_id = $1 ORDER BY created_at DESC, id DESC LIMIT 50) AS page))))::text
