//! `list`, `show`, `receipt`.

use serde_json::json;
use tests::{Engine, World};

use super::program::{jobs, run};
use crate::deletion::{delete, file};

tests::on_both!(
    jobs_are_listed_by_filter_and_over_pages,
    everything_about_a_job_is_shown,
    a_receipt_is_shown,
    names_cannot_speak_to_the_terminal,
);

async fn jobs_are_listed_by_filter_and_over_pages(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let mut all = Vec::new();
    for number in 0..203 {
        let status = if number % 50 == 0 { "failed" } else { "completed" };
        all.push(world.adopted_job(user, None, "annual", status).await.to_string());
    }
    let listed = jobs(&world, &["list", "--ids", "--limit", "0"]).await.well();
    assert_eq!(listed.err, "");
    let mut ids: Vec<_> = listed.out.lines().map(ToOwned::to_owned).collect();
    ids.sort();
    all.sort();
    assert_eq!(ids, all);
    // Who passes them on, to a deletion for example, is told that these are not all.
    for form in ["--ids", "--json"] {
        let listed = jobs(&world, &["list", form]).await.well();
        assert_eq!((listed.out.lines().count(), &*listed.err), (50, "the first 50; --limit 0 lists all\n"), "{form}");
    }
    assert_eq!(jobs(&world, &["list", "--ids", "--limit", "101"]).await.well().out.lines().count(), 101);

    let failed = jobs(&world, &["list", "--json", "--status", "failed,cancelled"]).await.well().lines();
    assert_eq!(failed.len(), 5);
    assert!(failed.iter().all(|job| job["status"] == "FAILED" && job["origin"] == "ADOPTED"), "{failed:?}");
    for (filter, count) in [
        (["--kind", "QUARTERLY"], 0),
        (["--finished-before", "30d"], 0),
        (["--finished-after", "1h"], 198),
        (["--created-after", "2020-01-01"], 203),
        (["--created-before", "2020-01-01T00:00:00Z"], 0),
        (["--search", "adopted"], 203),
        (["--search", &all[0]], 1),
        (["--origin", "joblink"], 0),
        (["--created-by", &user.to_string()], 203),
    ] {
        let listed = jobs(&world, &["list", "--json", "--limit", "0", filter[0], filter[1]]).await.well();
        assert_eq!(listed.lines().len(), count, "{filter:?}");
    }
    assert_eq!(jobs(&world, &["list", "--json", "--mine", "--limit", "0"]).await.well().lines().len(), 203);

    let table = jobs(&world, &["list", "--status", "FAILED"]).await.well().out;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].ends_with("FILE"), "{table}");
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[1].split_whitespace().nth(1), Some("FAILED"));
    let wrong = run(&["jobs", "list", "--status", "gone"]).await;
    assert!(wrong.code == 2 && wrong.err.contains("PENDING"), "{wrong:?}");
}

async fn everything_about_a_job_is_shown(engine: Engine) {
    let world = World::new(engine).await;
    let bad = file(3) + "S0,Company,1,Tech,19x9,Q4,10,1,5,10,3\n";
    let id = world.upload("ANNUAL", "a.csv", bad).await;
    let job = jobs(&world, &["show", &id, "--json"]).await.well().document();
    assert_eq!((&job["id"], &job["status"], &job["fileName"]), (&json!(id), &json!("COMPLETED"), &json!("a.csv")));
    assert_eq!(job["progress"], json!({ "total": 4, "processed": 4, "succeeded": 3, "failed": 1 }));
    assert_eq!(job["predictions"]["totalCount"], 3);
    assert_eq!(job["rowErrors"]["nodes"][0]["line"], 5);
    assert_eq!(job["artifacts"].as_array().unwrap().len(), 3);
    let can = json!({ "cancel": false, "delete": true, "forceDelete": false, "hold": true, "retry": false });
    assert_eq!(job["can"], can);
    let text = jobs(&world, &["show", &id]).await.well().out;
    for part in ["a.csv", "4 of 4 read, 3 stored, 1 not stored", "You may", "delete, hold", "SHA-256", "reporting_year"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let missing = jobs(&world, &["show", "6fd5ca04-0b5b-4b5e-9a52-0d9d4c0f2a11"]).await;
    assert!(missing.sentence(1).starts_with("there is no job 6fd5ca04"), "{missing:?}");

    world.data("mutation($id: ID!) { cleanJob(id: $id) { userErrors { message } } }", json!({ "id": id })).await;
    let text = jobs(&world, &["show", &id]).await.well().out;
    let line = text.lines().find(|line| line.starts_with("Cleaned")).unwrap_or_default();
    assert!(line.contains(": 3 files of ") && line.ends_with(" went, its record and its predictions stay"), "{text}");
    delete(&world, &id, json!({})).await;
    let deleted = jobs(&world, &["show", &id]).await;
    let deleted = deleted.sentence(1);
    assert!(deleted.starts_with(&format!("job {id} was deleted 2")), "{deleted}");
    assert!(deleted.contains(&format!("`joblink jobs receipt {id}`")), "{deleted}");
}

async fn a_receipt_is_shown(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(3)).await;
    assert!(jobs(&world, &["receipt", &id]).await.sentence(1).starts_with("no deletion of a job"));
    delete(&world, &id, json!({ "cascade": true, "reason": "no longer wanted" })).await;
    let receipt = jobs(&world, &["receipt", &id, "--json"]).await.well().document();
    assert_eq!((&receipt["jobId"], &receipt["deletedAnnualPredictions"]), (&json!(id), &json!(3)));
    let text = jobs(&world, &["receipt", &id]).await.well().out;
    assert!(text.contains("no longer wanted") && text.contains("3 annual and 0 quarterly deleted"), "{text}");
}

async fn names_cannot_speak_to_the_terminal(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let id = world.adopted_job(user, None, "annual", "completed").await;
    world.adopted_job(user, None, "annual", "completed").await;
    let hostile = "\u{1b}]0;title\u{7}\u{9b}31m\r\u{202e}vsc.exe\n";
    let rename = "UPDATE bulk_upload_jobs SET original_filename = $1, error_message = $1 WHERE id = $2";
    let values = [hostile.into(), id.into()];
    let statement = sea_orm::Statement::from_sql_and_values(world.app.db.backend(), rename, values);
    sea_orm::ConnectionTrait::execute_raw(world.app.db.reader(), statement).await.unwrap();
    let id = id.to_string();
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["show", &id],
        &["show", &id, "--json"],
        &["watch", &id],
        &["watch", &id, "--json"],
        &["delete", &id, "--dry-run"],
        &["delete", &id, "--yes"],
        &["receipt", &id],
    ] {
        let said = jobs(&world, arguments).await.well();
        let bad = |char: char| (char.is_control() && char != '\n') || "\u{202e}\u{9b}".contains(char);
        let said = said.out + &said.err;
        let told_as_is = arguments.contains(&"--json");
        assert!(said.contains("title") && (told_as_is || !said.contains(bad)), "{arguments:?}: {said:?}");
        assert!(!said.chars().any(|char| char == '\u{1b}' || char == '\u{7}'), "{arguments:?}: {said:?}");
    }
}
