//! A preview that is no longer true is not acted on.

use api::checkpoint::Checkpoint;
use tests::{Engine, Gate, Setup, World};

use super::{deleting::left, program::jobs};

tests::on_both!(
    what_changed_since_the_preview_stays_and_is_shown_again,
    a_job_that_is_at_work_is_deleted_by_force_with_what_it_made_meanwhile,
);

async fn what_changed_since_the_preview_stays_and_is_shown_again(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::DeletionBegins, 1);
    let world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    let other = world.adopted_job(user, None, "annual", "completed").await;
    world.linked_predictions(job, "source_file", 3).await;
    let (job_id, other_id) = (job.to_string(), other.to_string());
    let arguments = ["delete", &job_id, &other_id, "--with-predictions", "--yes"];
    let (ended, ()) = tokio::join!(jobs(&world, &arguments), async {
        gate.wait().await;
        world.linked_predictions(job, "source_file", 4).await;
        gate.open();
    });
    assert_eq!(ended.sentence(3), "1 job not deleted: 1 refused");
    assert!(ended.err.contains("1 job changed since the preview"), "{ended:?}");
    assert!(ended.out.contains("Would go: 2 jobs, 0 files of 0 B; 3 predictions deleted"), "{ended:?}");
    assert!(ended.out.contains("Would go: 1 job, 0 files of 0 B; 7 predictions deleted"), "{ended:?}");
    assert_eq!((left(&world).await, world.count("SELECT count(*) FROM annual_predictions").await), (1, 7));
    jobs(&world, &arguments).await.well();
    assert_eq!((left(&world).await, world.count("SELECT count(*) FROM annual_predictions").await), (0, 0));
}

async fn a_job_that_is_at_work_is_deleted_by_force_with_what_it_made_meanwhile(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::DeletionBegins, 1);
    let world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "processing").await;
    world.linked_predictions(job, "source_file", 3).await;
    let job_id = job.to_string();
    let arguments = ["delete", &job_id, "--force", "--with-predictions", "--yes"];
    let (ended, ()) = tokio::join!(jobs(&world, &arguments), async {
        gate.wait().await;
        world.linked_predictions(job, "source_file", 4).await;
        gate.open();
    });
    let ended = ended.well();
    assert!(ended.out.contains("7 predictions deleted"), "{ended:?}");
    assert_eq!((left(&world).await, world.count("SELECT count(*) FROM annual_predictions").await), (0, 0));
}
