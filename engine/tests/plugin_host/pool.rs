//! The room that instances share one after another, and at the same time.

use std::time::Duration;

use futures_util::future::join_all;
use rengine::plugin::{PluginError, Settings};

use crate::component::{pre_run, pre_run_with};
use crate::lab::{Lab, guarded, settings, silent};

/// More than there is room for at a time.
const MANY: usize = 70;

#[test]
fn an_instance_finds_nothing_of_the_one_before() {
    guarded(|| async {
        let lab = Lab::new();
        // In the data of the module, in its first page, and in pages that are added.
        let body = "(local.set $a (memory.grow (i32.const 40)))
            (if (i32.ne (i32.load (i32.const 1024)) (i32.const 0x0059454b)) (then unreachable))
            (local.set $i (i32.const 1028))
            (loop $l
              (if (i32.load (local.get $i)) (then unreachable))
              (local.set $i (i32.add (local.get $i) (i32.const 4)))
              (if (i32.eq (local.get $i) (i32.const 65536))
                (then (local.set $i (i32.const 131072))))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 2621440))))
            (if (i32.eqz (ref.is_null (table.get $t (i32.const 3)))) (then unreachable))
            (if (i32.ne (table.size $t) (i32.const 4)) (then unreachable))
            (drop (table.grow $t (ref.func $f) (i32.const 9000)))
            (table.set $t (i32.const 3) (ref.func $f))
            (memory.fill (i32.const 1024) (i32.const 255) (i32.const 2620416))";
        let items = "(table $t 4 funcref) (func $f) (elem declare func $f)";
        let path = lab.file("hostile", &pre_run_with("", "", "", body, items));
        let plugin = lab.host.load(settings("hostile", &path)).await;
        let plugin = plugin.expect("it loads");
        for _ in 0..5 {
            let done = lab.call_plugin(&plugin, silent()).await;
            assert_eq!(done.expect("all is as it was").changes, []);
        }
        lab.still_works().await;
    });
}

#[test]
fn more_calls_than_there_is_room_for_wait_their_turn() {
    guarded(|| async {
        let lab = Lab::new();
        let path = lab.file("hostile", &pre_run("", "(loop $l (br $l))"));
        let settings = Settings {
            timeout: Duration::from_millis(100),
            ..settings("hostile", &path)
        };
        let plugin = lab.host.load(settings).await.expect("it loads");
        let calls = (0..MANY).map(|_| lab.call_plugin(&plugin, silent()));
        for done in join_all(calls).await {
            let error = done.expect_err("it never ends by itself");
            assert!(matches!(error, PluginError::Timeout { .. }), "{error:?}");
        }
        lab.still_works().await;
    });
}

#[test]
fn a_component_of_many_memories_takes_the_room_of_several() {
    guarded(|| async {
        let lab = Lab::new();
        let memories = "(memory 1) ".repeat(15);
        let path = lab.file("hostile", &pre_run_with("", "", "", "", &memories));
        let plugin = lab.host.load(settings("hostile", &path)).await;
        let plugin = plugin.expect("it loads");
        let calls = (0..MANY).map(|_| lab.call_plugin(&plugin, silent()));
        for done in join_all(calls).await {
            assert_eq!(done.expect("there is room").changes, []);
        }
    });
}
