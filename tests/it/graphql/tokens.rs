//! Bearer tokens: who has none that is valid gets nothing but the schema, and no answer shows any of it.

use std::time::Duration;

use api::auth::{
    Role,
    token::{self, Rules},
};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set, prelude::Uuid};
use serde_json::{Value, json};
use tests::{Engine, Person, Setup, World, people};

use super::{code, pages::base64, program};

tests::on_both!(
    without_a_token_only_the_schema_is_answered,
    a_faulty_token_is_none,
    an_operator_may_act_for_any_organization,
    who_is_no_longer_active_is_nobody,
    a_token_from_the_command_line_works,
);

const WHO: &str = "{ viewer { user { id } organization { id } role } }";
/// The secret of the worlds' servers.
const SECRET: &str = "a secret for tests alone, longer than thirty-two bytes";

async fn world(engine: Engine) -> World {
    World::with(engine, Setup { tokens: true, ..Default::default() }).await
}

async fn without_a_token_only_the_schema_is_answered(engine: Engine) {
    let world = world(engine).await;
    for query in [
        "{ __typename }",
        "{ __schema { queryType { name } } }",
        "{ __type(name: \"Job\") { name } }",
        "{ a: __typename b: __schema { queryType { name } } c: __type(name: \"Job\") { name } }",
        "{ ...F } fragment F on Query { __schema { queryType { name } } ... { __typename } }",
        "mutation { __typename }",
        "query($no: Boolean = false) { __typename jobs @include(if: $no) { totalCount } }",
    ] {
        let answer = world.answer(query, json!({})).await;
        assert!(answer.get("errors").is_none() && answer["data"].is_object(), "{query}: {answer}");
    }
    for query in [
        "{ viewer { role } }",
        "{ __typename viewer { role } }",
        "{ __typename: viewer { role } }",
        "{ __schema { queryType { name } } ...F } fragment F on Query { ...G } fragment G on Query { __type: jobs { totalCount } }",
        "{ ... on Query { ... @include(if: true) { jobs { totalCount } } } }",
        "mutation { deleteJob(id: \"x\") { deletedJobId } }",
        "mutation { __typename: deletePredictions(ids: [\"x\"]) { deletedIds } }",
    ] {
        for accept in ["application/json", "application/graphql-response+json"] {
            let body = json!({ "query": query });
            let response = world.post().header("accept", accept).json(&body).send().await.unwrap();
            assert_eq!(response.status(), 401, "{query}");
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            let answer: Value = response.json().await.unwrap();
            assert_eq!(code(&answer), "UNAUTHENTICATED", "{query}");
            assert!(answer.get("data").is_none(), "{answer}");
        }
    }
    let sent = tests::multipart(world.post(), "ANNUAL", "a.csv", b"a".to_vec()).await;
    assert_eq!(sent.status(), 401);
    assert_eq!(world.count("SELECT count(*) FROM audit_log").await, 0);
}

/// A token with whatever in it, signed as it should be.
fn signed(claims: &Value) -> String {
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn claims(person: &Person) -> Value {
    let mut claims = json!({ "sub": person.id, "role": "member", "exp": 4_000_000_000_u64 });
    if let Some(organization) = person.organization {
        claims["org"] = json!(organization);
    }
    claims
}

/// A token that was valid until an hour ago.
pub fn expired(person: &Person) -> String {
    let mut claims = claims(person);
    claims["exp"] = json!(jsonwebtoken::get_current_timestamp() - 3600);
    signed(&claims)
}

async fn a_faulty_token_is_none(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (anna, emil) = (&people.anna, &people.emil);
    let but = |name: &str, value: Value| {
        let mut claims = claims(anna);
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims(anna);
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let seen = world.data_to(&signed(&claims(anna)), WHO, json!({})).await["viewer"].take();
    assert_eq!(
        seen,
        json!({ "user": { "id": anna.id }, "organization": { "id": anna.organization }, "role": "MEMBER" })
    );
    // Without a role one is a member; without an organization, in one's own space.
    assert_eq!(world.data_to(&signed(&without("role")), WHO, json!({})).await["viewer"]["role"], "MEMBER");
    assert_eq!(world.data_to(&signed(&without("org")), WHO, json!({})).await["viewer"]["organization"], Value::Null);

    let other = token::Secret::new("another secret, which is long enough to sign with").unwrap();
    let forged =
        token::mint(&other, &Rules::default(), anna.id, anna.organization, Role::Member, Duration::from_mins(1))
            .unwrap();
    let [head, body, signature] = anna.token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let none = base64(br#"{"alg":"none","typ":"JWT"}"#);
    let longer = {
        use jsonwebtoken::{Algorithm, EncodingKey, Header};
        jsonwebtoken::encode(
            &Header::new(Algorithm::HS512),
            &claims(anna),
            &EncodingKey::from_secret(SECRET.as_bytes()),
        )
        .unwrap()
    };
    let past = |seconds: u64| json!(jsonwebtoken::get_current_timestamp() - seconds);
    for (fault, token) in [
        ("empty", String::new()),
        ("no token at all", "anna".to_owned()),
        ("another secret", forged),
        ("no algorithm", format!("{none}.{body}.")),
        ("no algorithm, with a signature", format!("{none}.{body}.{signature}")),
        ("another algorithm", longer),
        ("no signature", format!("{head}.{body}.")),
        ("a changed body", format!("{head}.{}.{signature}", base64(claims(emil).to_string().as_bytes()))),
        ("a signature cut off", anna.token[..anna.token.len() - 2].to_owned()),
        ("expired", signed(&but("exp", past(60)))),
        ("expired long ago", signed(&but("exp", json!(0)))),
        ("without an end", signed(&without("exp"))),
        ("without a user", signed(&without("sub"))),
        ("an unknown user", signed(&but("sub", json!(Uuid::now_v7())))),
        ("a user that is no id", signed(&but("sub", json!("anna")))),
        ("another organization", signed(&but("org", json!(people.dora.organization)))),
        ("an unknown organization", signed(&but("org", json!(Uuid::now_v7())))),
        ("an organization that is no id", signed(&but("org", json!("First")))),
        ("an unknown role", signed(&but("role", json!("admin")))),
        ("a role in capitals", signed(&but("role", json!("MEMBER")))),
        ("a role with a space", signed(&but("role", json!("operator ")))),
        ("an empty role", signed(&but("role", json!("")))),
        ("a role that is no text", signed(&but("role", json!(["operator"])))),
        ("an organization admin elsewhere", {
            let mut claims = but("org", json!(people.dora.organization));
            claims["role"] = json!("org_admin");
            signed(&claims)
        }),
    ] {
        let response = world.post().bearer_auth(&token).json(&json!({ "query": WHO })).send().await.unwrap();
        assert_eq!(response.status(), 401, "{fault}");
        let text = format!("{:?} {}", response.headers().clone(), response.text().await.unwrap());
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!text.contains(part), "{fault}: the answer shows the token");
        }
        assert!(text.contains("UNAUTHENTICATED"), "{fault}: {text}");
    }
    for authorization in
        ["Basic YTpi", "Bearer", "bearer", &format!("Token {}", anna.token), &format!("Bearer{}", anna.token)]
    {
        let response =
            world.post().header("authorization", authorization).json(&json!({ "query": WHO })).send().await.unwrap();
        assert_eq!(response.status(), 401, "{authorization}");
    }
    let response = world
        .post()
        .header("authorization", format!("bearer  {}", anna.token))
        .json(&json!({ "query": WHO }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

async fn an_operator_may_act_for_any_organization(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let token = tests::token(people.olga.id, people.dora.organization, Role::Operator);
    let seen = world.data_to(&token, WHO, json!({})).await["viewer"].take();
    assert_eq!(
        seen,
        json!({ "user": { "id": people.olga.id }, "organization": { "id": people.dora.organization }, "role": "OPERATOR" })
    );
    let token = tests::token(people.olga.id, Some(Uuid::now_v7()), Role::Operator);
    assert_eq!(code(&world.answer_to(&token, WHO, json!({})).await), "UNAUTHENTICATED");
}

async fn who_is_no_longer_active_is_nobody(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let set_active = async |active: Option<bool>| {
        let row = entity::user::Entity::find_by_id(people.anna.id).one(world.app.db.reader()).await.unwrap().unwrap();
        let mut row = row.into_active_model();
        row.is_active = Set(active);
        row.update(world.app.db.reader()).await.unwrap();
    };
    set_active(Some(false)).await;
    assert_eq!(code(&world.answer_to(&people.anna.token, WHO, json!({})).await), "UNAUTHENTICATED");
    // An older program left it open: not forbidden.
    set_active(None).await;
    assert_eq!(world.data_to(&people.anna.token, WHO, json!({})).await["viewer"]["role"], "MEMBER");
}

async fn a_token_from_the_command_line_works(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (user, organization) = (people.carla.id.to_string(), people.carla.organization.unwrap().to_string());
    let mint = |arguments: &[&str]| {
        let output = program(&["token"]).args(arguments).env("JOBLINK_JWT_SECRET", SECRET).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, token, _) = mint(&[&user, "--org", &organization, "--role", "org_admin"]);
    assert_eq!(code, Some(0));
    let seen = world.data_to(token.trim(), WHO, json!({})).await["viewer"].take();
    assert_eq!(seen, json!({ "user": { "id": user }, "organization": { "id": organization }, "role": "ORG_ADMIN" }));
    let (_, token, _) = mint(&[&user]);
    assert_eq!(world.data_to(token.trim(), WHO, json!({})).await["viewer"]["role"], "MEMBER");
    let (code, token, error) = mint(&[&user, "--role", "admin"]);
    assert_eq!((code, token.as_str()), (Some(2), ""));
    assert!(error.contains("roles are member, org_admin and operator"), "{error}");
    let (code, ..) = mint(&["anna"]);
    assert_eq!(code, Some(2));
}

#[test]
fn a_short_secret_is_refused_and_not_shown() {
    let folder = tempfile::TempDir::new().unwrap();
    for secret in ["", "short", "thirty-one bytes are too few..."] {
        for arguments in [
            vec!["serve", "--auth", "jwt", "--listen", "127.0.0.1:0"],
            vec!["token", "0196f0a5-0000-7000-8000-000000000000"],
        ] {
            let output = program(&arguments).env("JOBLINK_JWT_SECRET", secret).current_dir(&folder).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(3), "{arguments:?} {secret:?}: {said}");
            assert!(said.contains("fewer than 32 bytes"), "{said}");
            assert!(secret.is_empty() || !said.contains(secret), "{said}");
        }
    }
    let output = program(&["serve", "--auth", "jwt"]).current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "something was made before the refusal");
}
