-- The first organization of a new installation, and its first user. Prints the ids that `joblink token` takes.
--
--   psql "$DATABASE_URL" -v organization='Example' -v email='you@example.com' <deploy/first-user.sql

\set ON_ERROR_STOP on

WITH organization AS (
    INSERT INTO organizations (id, name, slug, join_token, is_active, created_at)
    VALUES (
        gen_random_uuid(),
        :'organization',
        trim(BOTH '-' FROM regexp_replace(lower(:'organization'), '[^a-z0-9]+', '-', 'g')),
        replace(gen_random_uuid()::text, '-', ''),
        true,
        now() AT TIME ZONE 'UTC'
    )
    RETURNING id
)
INSERT INTO users (id, email, username, hashed_password, organization_id, is_active, created_at)
-- No password has this hash: whoever has a token is signed in.
SELECT gen_random_uuid(), :'email', :'email', '!', organization.id, true, now() AT TIME ZONE 'UTC'
FROM organization
RETURNING id AS user_id, organization_id;
