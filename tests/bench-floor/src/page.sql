SELECT json_build_object('data', json_build_object('annualPredictions', json_build_object('nodes',
    (SELECT json_agg(row_to_json(page)) FROM (
        SELECT id, reporting_year AS "reportingYear", reporting_quarter AS "reportingQuarter",
            trim_scale(total_debt_to_ebitda)::text AS "totalDebtToEbitda",
            trim_scale(net_income_margin)::text AS "netIncomeMargin", trim_scale(probability)::text AS probability,
            risk_level AS "riskLevel", trim_scale(confidence)::text AS confidence, upper(job_link) AS "linkSource",
            to_char(predicted_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "predictedAt"
        FROM annual_predictions WHERE organization_id = $1 AND risk_level = 'HIGH' AND id > $2
        ORDER BY id LIMIT 100) AS page))))::text
