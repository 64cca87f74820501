//! Images that are made from each other, and those of one service that another runs.

use insta::assert_snapshot;

use super::*;

fn built(text: &str) -> WantedService {
    let mut service = WantedService {
        bases: Vec::new(),
        ..plain(text)
    };
    let web = web();
    service.build_inputs = web.build_inputs;
    service.image = web.image;
    service
}

#[test]
fn an_image_is_built_after_those_that_it_is_built_on() {
    let (mut front, mut lib) = (built("front"), built("lib"));
    front.builds_on = vec![name("lib")];
    // That its containers start the other way round does not matter.
    waits(&mut lib, "front", Condition::Started);
    let wanted = app(vec![front.clone(), lib.clone()]);
    assert_snapshot!(with_order(&wanted, &Observed::default()), @r"
    0 build lib (no image yet) <- []
    1 build front (no image yet) <- [0]
    2 create front shop-front-r2 (no container yet) <- [1]
    3 start front <- [2]
    4 health front <- [3]
    5 create lib shop-lib-r2 (no container yet) <- [0]
    6 start lib <- [3, 5]
    7 health lib <- [6]
    8 commit front shop-front-r2 <- [4, 7]
    9 commit lib shop-lib-r2 <- [4, 7]
    ");
    // Its own is there; but the other is built anew, and has the same name.
    let there = Observed {
        images: vec![image(&front)],
        ..Observed::default()
    };
    let text = plan(&wanted, &there).to_string();
    let builds: Vec<_> = text.lines().take(2).collect();
    assert_eq!(
        builds,
        [
            "build lib (no image yet)",
            "build front (base image service:lib changed)"
        ]
    );
}

#[test]
fn a_service_that_runs_what_another_builds_pulls_nothing() {
    let (mut worker, mut api) = (plain("worker"), built("api"));
    worker.image = ImageSource::Image("shop/api:1".into());
    worker.pull = PullPolicy::Never;
    if let Some(build) = api.image.build_mut() {
        build.tags = vec!["docker.io/shop/api:1".into()];
    }
    let wanted = app(vec![worker.clone(), api.clone()]);
    assert_snapshot!(with_order(&wanted, &Observed::default()), @r"
    0 build api (no image yet) <- []
    1 create worker shop-worker-r2 (no container yet) <- [0]
    2 start worker <- [1]
    3 health worker <- [2]
    4 create api shop-api-r2 (no container yet) <- [0]
    5 start api <- [4]
    6 health api <- [5]
    7 commit worker shop-worker-r2 <- [3, 6]
    8 commit api shop-api-r2 <- [3, 6]
    9 tag api docker.io/shop/api:1 (not there yet) <- [0, 8]
    ");
    assert!(plan(&wanted, &Observed::default()).conflicts.is_empty());
    let mut observed = there(&[&worker, &api]);
    let mut made = image(&api);
    made.tags = vec!["shop/api:1".into()];
    observed.images = vec![made];
    assert_snapshot!(plan(&wanted, &observed), @"");
}

#[test]
fn what_has_the_volumes_of_another_that_is_replaced_is_replaced() {
    let (mut side, mut db) = (plain("side"), plain("db"));
    side.shares_with = vec![name("db")];
    side.container.volumes_from = vec![crate::app::VolumesFrom {
        owner: crate::app::VolumesOwner::Service("db".into()),
        read_only: false,
    }];
    let observed = there(&[&side, &db]);
    db.container.hostname = Some("other".into());
    let wanted = app(vec![side, db]);
    // Both would write to them: the old one stops first.
    assert_snapshot!(plan(&wanted, &observed), @r"
    create db shop-db-r2 (changed: hostname)
    start db
    health db
    create side shop-side-r2 (db is replaced)
    stop side shop-side-r1 (replaced)
    start side
    health side
    commit side shop-side-r2
    remove side shop-side-r1 (replaced)
    commit db shop-db-r2
    stop db shop-db-r1 (replaced)
    remove db shop-db-r1 (replaced)
    ");
}

#[test]
fn an_image_is_old_after_its_time() {
    let facts = |tagged| ImageFacts {
        tagged,
        ..ImageFacts::default()
    };
    let hour = std::time::Duration::from_hours(1);
    assert!(!facts(Some(1000)).is_older(hour, 4599));
    assert!(facts(Some(1000)).is_older(hour, 4600));
    assert!(facts(None).is_older(hour, 0));
    // A clock that goes back makes nothing old.
    assert!(!facts(Some(1000)).is_older(hour, 0));
}
