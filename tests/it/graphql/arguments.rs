//! Arguments with defaults take every form in which clients send them: absent, null, false, true, and a nullable
//! variable that is given, null or omitted.

use serde_json::{Value, json};
use tests::{Engine, World};

tests::on_both!(
    delete_predictions_takes_every_form,
    force_takes_every_form,
    the_preview_takes_every_form_of_force,
    the_order_of_jobs_takes_every_form,
    deleting_many_takes_every_form,
);

/// Each form: the declaration of the variable, what stands in the place, the variables, and what it means.
fn forms() -> Vec<(&'static str, &'static str, Value, bool)> {
    vec![
        ("", "", json!({}), false),
        ("", "NAME: null", json!({}), false),
        ("", "NAME: false", json!({}), false),
        ("", "NAME: true", json!({}), true),
        ("($v: Boolean)", "NAME: $v", json!({ "v": true }), true),
        ("($v: Boolean)", "NAME: $v", json!({ "v": false }), false),
        ("($v: Boolean)", "NAME: $v", json!({ "v": null }), false),
        ("($v: Boolean)", "NAME: $v", json!({}), false),
        ("($v: Boolean!)", "NAME: $v", json!({ "v": true }), true),
        ("($v: Boolean!)", "NAME: $v", json!({ "v": false }), false),
        ("($v: Boolean = true)", "NAME: $v", json!({}), true),
        ("($v: Boolean = true)", "NAME: $v", json!({ "v": null }), false),
        ("($v: Boolean! = true)", "NAME: $v", json!({}), true),
    ]
}

/// The arguments of a call beside one in its form.
fn with(first: &str, name: &str, form: &str) -> String {
    format!("({first}{})", if form.is_empty() { String::new() } else { format!(", {}", form.replace("NAME", name)) })
}

async fn delete_predictions_takes_every_form(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    for (declared, form, variables, cascades) in forms() {
        let job = world.adopted_job(user, None, "annual", "completed").await;
        world.linked_predictions(job, "source_file", 3).await;
        let call = with(&format!("id: \"{job}\""), "deletePredictions", form);
        let query = format!(
            "mutation{declared} {{ deleteJob{call} {{ deletedJobId receipt {{ deletePredictions deletedAnnualPredictions releasedPredictions }} }} }}"
        );
        let payload = &world.data(&query, variables.clone()).await["deleteJob"];
        let (deleted, released) = if cascades { (3, 0) } else { (0, 3) };
        assert_eq!(
            *payload,
            json!({ "deletedJobId": job, "receipt": { "deletePredictions": cascades,
                "deletedAnnualPredictions": deleted, "releasedPredictions": released } }),
            "{query} {variables}"
        );
    }
    world.check_invariants().await;
}

async fn force_takes_every_form(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    for (declared, form, variables, forced) in forms() {
        let job = world.adopted_job(user, None, "annual", "processing").await;
        let call = with(&format!("id: \"{job}\""), "force", form);
        let query = format!(
            "mutation{declared} {{ deleteJob{call} {{ deletedJobId receipt {{ force }} userErrors {{ code message field }} }} }}"
        );
        let payload = &world.data(&query, variables.clone()).await["deleteJob"];
        let expected = if forced {
            json!({ "deletedJobId": job, "receipt": { "force": true }, "userErrors": [] })
        } else {
            let message = "Cannot delete running job. Use cancel instead.";
            json!({ "deletedJobId": null, "receipt": null,
                "userErrors": [{ "code": "JOB_IN_PROGRESS", "message": message, "field": null }] })
        };
        assert_eq!(*payload, expected, "{query} {variables}");
    }
    world.check_invariants().await;
}

async fn the_preview_takes_every_form_of_force(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "processing").await;
    for (declared, form, variables, forced) in forms() {
        let call = with(&format!("ids: [\"{job}\"]"), "force", form);
        let query = format!(
            "query{declared} {{ deletionPreview{call} {{ deletable {{ job {{ id }} }} refused {{ jobId error {{ code }} }} }} }}"
        );
        let preview = &world.data(&query, variables.clone()).await["deletionPreview"];
        let expected = if forced {
            json!({ "deletable": [{ "job": { "id": job } }], "refused": [] })
        } else {
            json!({ "deletable": [], "refused": [{ "jobId": job, "error": { "code": "JOB_IN_PROGRESS" } }] })
        };
        assert_eq!(*preview, expected, "{query} {variables}");
    }
}

async fn the_order_of_jobs_takes_every_form(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let mut rows: Vec<_> = (0..3).map(|_| super::new_job(user, None)).collect();
    for (place, row) in rows.iter_mut().enumerate() {
        row.created_at = Some(super::at(&format!("2026-01-0{}T00:00:00", place + 1)));
        row.original_filename = ["b", "c", "a"][place].to_owned();
    }
    let all: Vec<_> = rows.iter().map(|row| row.id).collect();
    super::store::<entity::job::Entity>(&world, rows).await;
    let newest_first = [2, 1, 0];
    let by_name = [2, 0, 1];
    let name = json!({ "field": "FILE_NAME", "direction": "ASC" });
    for (declared, form, variables, order) in [
        ("", "", json!({}), newest_first),
        ("", "(orderBy: null)", json!({}), newest_first),
        ("", "(orderBy: {field: FILE_NAME, direction: ASC})", json!({}), by_name),
        ("($v: JobOrder)", "(orderBy: $v)", json!({ "v": name }), by_name),
        ("($v: JobOrder)", "(orderBy: $v)", json!({ "v": null }), newest_first),
        ("($v: JobOrder)", "(orderBy: $v)", json!({}), newest_first),
        ("($v: JobOrder!)", "(orderBy: $v)", json!({ "v": name }), by_name),
        ("($v: JobOrder = {field: FILE_NAME, direction: ASC})", "(orderBy: $v)", json!({}), by_name),
        (
            "($f: JobOrderField!, $d: OrderDirection!)",
            "(orderBy: {field: $f, direction: $d})",
            json!({ "f": "FILE_NAME", "d": "ASC" }),
            by_name,
        ),
    ] {
        let query = format!("query{declared} {{ jobs{form} {{ nodes {{ id }} }} }}");
        let found = super::ids(&world.data(&query, variables.clone()).await["jobs"]);
        assert_eq!(found, order.map(|place| all[place]), "{query} {variables}");
    }
}

async fn deleting_many_takes_every_form(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    for (declared, form, variables, meant) in forms() {
        let job = world.adopted_job(user, None, "annual", "processing").await;
        world.linked_predictions(job, "source_file", 2).await;
        // Both arguments in the same form.
        let call = with(&format!("ids: [\"{job}\"]"), "force", form);
        let call = match form {
            "" => call,
            form => call.replace(')', &format!(", {})", form.replace("NAME", "deletePredictions"))),
        };
        let query = format!(
            "mutation{declared} {{ deleteJobs{call} {{ deletedJobIds receipts {{ deletedAnnualPredictions }} refused {{ error {{ code }} }} userErrors {{ code }} }} }}"
        );
        let payload = &world.data(&query, variables.clone()).await["deleteJobs"];
        let expected = if meant {
            json!({ "deletedJobIds": [job], "receipts": [{ "deletedAnnualPredictions": 2 }], "refused": [], "userErrors": [] })
        } else {
            json!({ "deletedJobIds": [], "receipts": [], "refused": [{ "error": { "code": "JOB_IN_PROGRESS" } }], "userErrors": [] })
        };
        assert_eq!(*payload, expected, "{query} {variables}");
    }
    world.check_invariants().await;
}
