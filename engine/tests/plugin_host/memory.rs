//! Limits of memory and tables.

use miette::Diagnostic as _;
use rengine::app::ByteSize;
use rengine::plugin::{Limits, PluginError, Settings};

use crate::component::{pre_run, pre_run_with};
use crate::lab::{LOG, Lab, assert_contains, guarded, settings, silent, told};

#[test]
fn memory_beyond_the_limit_is_refused() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l (drop (memory.grow (i32.const 16))) (br $l))";
        let error = lab.call(&pre_run("", body)).await.unwrap_err();
        assert!(matches!(error, PluginError::Limit { .. }), "{error:?}");
        let told = told(&error);
        assert_contains(&told, "it asked for ");
        assert_contains(&told, " of memory, and may have 128MiB");
        let help = error.help().expect("help").to_string();
        assert_contains(&help, "raise `memory` under [plugins.hostile]");
        lab.still_works().await;
    });
}

#[test]
fn memory_beyond_the_limit_from_the_start_is_refused_at_load() {
    guarded(|| async {
        let lab = Lab::new();
        let items = "(memory $more 4096)";
        let path = lab.file("hostile", &pre_run_with("", "", "", "", items));
        let error = lab.load_error(&path).await;
        assert_contains(&error.cause, "when it starts, it asked for ");
        assert_contains(&error.cause, "may have 128MiB");
    });
}

/// Growth past what fits into a number must not turn the sum around, and so empty the account.
#[test]
fn memory_growth_that_overflows_is_refused() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(drop (memory.grow $wide (i64.const 0x0000ffffffffffff)))";
        let items = "(memory $wide i64 1)";
        let told = lab.attack(&pre_run_with("", "", "", body, items)).await;
        assert_contains(&told, " of memory, and may have 128MiB");
    });
}

/// A memory that has a maximum of its own is told -1, and is not charged for what it did not get.
#[test]
fn memory_growth_past_its_own_maximum_costs_nothing() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l
              (if (i32.ne (memory.grow $small (i32.const 2000)) (i32.const -1))
                (then unreachable))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $l (i32.lt_u (local.get $i) (i32.const 100))))
            (if (i32.eq (memory.grow 0 (i32.const 1000)) (i32.const -1)) (then unreachable))";
        let component = pre_run_with("", "", "", body, "(memory $small 1 2)");
        let done = lab.call(&component).await.expect("it has the memory");
        assert_eq!(done.changes, []);
    });
}

#[test]
fn a_table_beyond_the_limit_is_refused() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(loop $l (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $l))";
        let items = "(table $t 0 funcref)";
        let told = lab.attack(&pre_run_with("", "", "", body, items)).await;
        assert_contains(&told, "it asked for a table of ");
    });
}

#[test]
fn plugins_toml_lowers_and_raises_the_limits() {
    guarded(|| async {
        let lab = Lab::new();
        let body = "(drop (table.grow $t (ref.null func) (i32.const 150000)))
            (call $log (i32.const 2) (i32.const 1024) (i32.const 0)
              (i32.const 4096) (i32.const 2000))";
        let items = "(table $t 0 funcref)";
        let path = lab.file("hostile", &pre_run_with("", "", LOG, body, items));
        let with = |limits: Limits| Settings {
            limits,
            ..settings("hostile", &path)
        };
        let default = Limits::default();
        let error = lab.call_with(with(default), silent()).await.unwrap_err();
        assert_contains(&told(&error), "a table of 150");
        assert_contains(&told(&error), "elements, and may have 100000");
        let help = error.help().expect("help").to_string();
        assert_contains(
            &help,
            "raise `table-elements` under [plugins.hostile.limits]",
        );

        let raised = Limits {
            table_elements: 200_000,
            ..default
        };
        let done = lab.call_with(with(raised), silent()).await;
        assert_eq!(done.expect("there is room").changes, []);

        let lowered = Limits {
            log: ByteSize(1000),
            ..raised
        };
        let error = lab.call_with(with(lowered), silent()).await.unwrap_err();
        assert_contains(&told(&error), "it logged more than 1000B in one call");
        let help = error.help().expect("help").to_string();
        assert_contains(&help, "raise `log` under [plugins.hostile.limits]");

        let few = Limits {
            instances: 1,
            ..raised
        };
        let error = lab.host.load(with(few)).await.err().expect("no load");
        assert_contains(&error.cause, "instance count too high");
        let help = error.help().expect("help").to_string();
        assert_contains(&help, "raise `instances` under [plugins.hostile.limits]");
        lab.still_works().await;
    });
}
