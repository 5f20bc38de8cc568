//! Who asks, and that nobody else learns of it.

use std::{num::NonZeroU32, time::Duration};

use api::auth::{
    Clock,
    login::Login,
    rate::{Limiter, Rate},
    token::Rules,
};
use tests::{Engine, Setup, World, people};

use super::program::{command, of, run_with};

tests::on_both!(a_token_comes_from_flag_file_or_environment_and_is_never_told, too_many_requests_are_waited_for);

async fn a_token_comes_from_flag_file_or_environment_and_is_never_told(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Setup::default() }).await;
    let anna = people(&world).await.anna;
    let id = world.adopted_job(anna.id, anna.organization, "annual", "completed").await.to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, format!("{}\n", anna.token)).unwrap();
    let path = path.to_str().unwrap();
    std::fs::write(folder.path().join("joblink.toml"), format!("token = {:?}\n", anna.token)).unwrap();

    let listed = async |arguments: &[&str], environment: Option<&str>, settings: bool| {
        let mut command = of(&world, arguments);
        command.env("JOBLINK_LOG", "trace");
        command.envs(environment.map(|token| ("JOBLINK_TOKEN", token)));
        if settings {
            command.current_dir(folder.path());
        }
        let ended = run_with(command, "").await;
        assert!(!format!("{ended:?}").contains(&anna.token), "{ended:?}");
        ended
    };
    for (arguments, environment, settings) in [
        (&["list", "--ids", "--token", &anna.token][..], None, false),
        (&["list", "--ids", "--token-file", path], None, false),
        (&["list", "--ids", "--token-file", path], Some("another"), false),
        (&["list", "--ids"], Some(anna.token.as_str()), false),
        (&["list", "--ids"], None, true),
    ] {
        assert_eq!(listed(arguments, environment, settings).await.well().out.trim(), id, "{arguments:?}");
    }
    let wanted = listed(&["list"], None, false).await;
    assert!(wanted.sentence(1).contains("wants a token"), "{wanted:?}");
    let mut changed = anna.token.clone();
    changed.replace_range(30..31, if &changed[30..31] == "x" { "y" } else { "x" });
    let refused = listed(&["list", "--token", &changed], None, false).await;
    assert!(refused.sentence(1).contains("does not accept the token"), "{refused:?}");
    assert!(!refused.err.contains(&changed), "{refused:?}");
    let broken = listed(&["list", "--token", "a\nb"], None, false).await;
    assert!(broken.sentence(1).contains("the token is no token"), "{broken:?}");
    let away = listed(&["list", "--token-file", "/no such file"], None, false).await;
    assert!(away.sentence(1).contains("cannot use the token file"), "{away:?}");
    for arguments in [&["list", "--help"][..], &["delete", "--help"], &["list", "--nothing"]] {
        let help = listed(arguments, Some(&anna.token), true).await;
        assert!(help.code == 0 || help.code == 2, "{help:?}");
    }
    let mut man = command(&["man"]);
    man.env("JOBLINK_TOKEN", &anna.token).current_dir(folder.path());
    assert!(!run_with(man, "").await.well().out.contains(&anna.token));
}

async fn too_many_requests_are_waited_for(engine: Engine) {
    let number = |number| NonZeroU32::new(number).unwrap();
    let rate = Rate { per_second: number(1), burst: number(1), trusted_proxies: Vec::new() };
    let clock = Clock::default();
    let login = Login::with_secret(&tests::secret(), Rules::default(), clock.clone());
    let limiter = Some(Limiter::new(rate, clock));
    let world = World::with(engine, Setup { login: Some(login), limiter, idle: true, ..Setup::default() }).await;
    let anna = people(&world).await.anna;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.adopted_job(anna.id, anna.organization, "annual", "completed").await.to_string());
    }
    let began = std::time::Instant::now();
    let mut delete = of(&world, &["delete", "--mine", "--yes"]);
    delete.env("JOBLINK_TOKEN", &anna.token);
    run_with(delete, "").await.well();
    // Four requests: who asks, which jobs, what would go, and the deletion.
    assert!(began.elapsed() >= Duration::from_secs(2), "nobody was told to wait");
    assert_eq!(super::deleting::left(&world).await, 0);
}
