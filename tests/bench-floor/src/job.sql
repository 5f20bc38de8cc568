SELECT json_build_object('data', json_build_object('job', json_build_object(
    'id', job.id, 'kind', upper(job_type), 'status', upper(status), 'origin', upper(origin),
    'fileName', original_filename, 'fileSize', file_size,
    'progress', json_build_object('total', total_rows, 'processed', processed_rows, 'succeeded', successful_rows,
        'failed', failed_rows),
    'createdAt', to_char(job.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'finishedAt', to_char(completed_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'createdBy', json_build_object('id', owner.id, 'name', coalesce(owner.full_name, owner.username)))))::text
FROM bulk_upload_jobs AS job JOIN users AS owner ON owner.id = job.user_id
WHERE job.organization_id = $1 AND job.id = $2
