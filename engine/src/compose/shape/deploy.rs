//! Keys of `deploy` and `develop`.

use super::super::forms;
use super::container::{COMMAND, DEVICE_REQUESTS, LABELS, ONE_OR_MORE, PAIRS};
use super::{
    BOOL, BYTES, COUNT, DURATION, Form, INT, Key, Kind, NUMBER, Object, PATH, TEXT, TEXTS, key,
};

const ROLLBACK: &str =
    "what runs before a release runs on until the end, and gets all requests back at once";
const TAKEN_BACK: &str = "a release of which one container fails is taken back";
const ONE_HOST: &str = "there is one machine, so there is nothing to choose from";

const UPDATE: &[Key] = &[
    key("parallelism", COUNT),
    key("delay", DURATION),
    key("failure_action", TEXT).ignored(TAKEN_BACK),
    key("monitor", DURATION),
    key("max_failure_ratio", NUMBER).ignored(TAKEN_BACK),
    key("order", Kind::Word(&["start-first", "stop-first"])),
];

const BACK: &[Key] = &[
    key("parallelism", COUNT),
    key("delay", DURATION),
    key("failure_action", TEXT),
    key("monitor", DURATION),
    key("max_failure_ratio", NUMBER),
    key("order", Kind::Word(&["start-first", "stop-first"])),
];

static RESOURCES: Object = Object {
    what: "`resources`",
    keys: &[&[
        key(
            "limits",
            Kind::Object(&Object {
                what: "limits",
                keys: &[&[key("cpus", NUMBER), key("memory", BYTES), key("pids", INT)]],
            }),
        ),
        key(
            "reservations",
            Kind::Object(&Object {
                what: "reservations",
                keys: &[&[
                    key("cpus", NUMBER).ignored(ONE_HOST),
                    key("memory", BYTES),
                    key("generic_resources", Kind::List(&Kind::Object(&GENERIC)))
                        .refused("only Swarm's scheduler has them"),
                    key("devices", DEVICE_REQUESTS),
                ]],
            }),
        ),
    ]],
};

static GENERIC: Object = Object {
    what: "a generic resource",
    keys: &[&[key(
        "discrete_resource_spec",
        Kind::Object(&Object {
            what: "a discrete resource",
            keys: &[&[key("kind", TEXT), key("value", NUMBER)]],
        }),
    )]],
};

static PLACEMENT: Object = Object {
    what: "a placement",
    keys: &[&[
        key("constraints", TEXTS),
        key(
            "preferences",
            Kind::List(&Kind::Object(&Object {
                what: "a preference",
                keys: &[&[key("spread", TEXT)]],
            })),
        ),
        key("max_replicas_per_node", COUNT),
    ]],
};

pub(super) const DEPLOY: Kind = Kind::Object(&Object {
    what: "a `deploy`",
    keys: &[&[
        key(
            "mode",
            Kind::Word(&["replicated", "global", "replicated-job", "global-job"]),
        ),
        key("endpoint_mode", Kind::Word(&["vip", "dnsrr"])).ignored(ONE_HOST),
        key("replicas", COUNT),
        key("labels", LABELS).ignored("they are for a service of Swarm, not for its containers"),
        key(
            "rollback_config",
            Kind::Object(&Object {
                what: "a `rollback_config`",
                keys: &[BACK],
            }),
        )
        .ignored(ROLLBACK),
        key(
            "update_config",
            Kind::Object(&Object {
                what: "an `update_config`",
                keys: &[UPDATE],
            }),
        ),
        key("resources", Kind::Object(&RESOURCES)),
        key(
            "restart_policy",
            Kind::Object(&Object {
                what: "a `restart_policy`",
                keys: &[&[
                    key("condition", Kind::Word(&["none", "on-failure", "any"])),
                    key("delay", DURATION).ignored("the daemon has times of its own"),
                    key("max_attempts", COUNT),
                    key("window", DURATION).ignored("the daemon has times of its own"),
                ]],
            }),
        ),
        key("placement", Kind::Object(&PLACEMENT)).ignored(ONE_HOST),
    ]],
});

pub(super) const DEVELOP: Kind = Kind::Object(&Object {
    what: "a `develop`",
    keys: &[&[key("watch", WATCHES)]],
});

const WATCHES: Kind = Kind::List(&Kind::Object(&WATCH));

static WATCH: Object = Object {
    what: "a watch",
    keys: &[&[
        key("path", PATH).required(),
        key(
            "action",
            Kind::Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
        )
        .required(),
        key("target", TEXT),
        key("ignore", ONE_OR_MORE),
        key("include", ONE_OR_MORE),
        key("initial_sync", BOOL),
        key("exec", Kind::Object(&HOOK)),
    ]],
};

/// Commands in a container that runs.
pub(super) const HOOKS: Kind = Kind::List(&Kind::Object(&HOOK));

static HOOK: Object = Object {
    what: "a hook",
    keys: &[&[
        key("command", COMMAND).replaced().required(),
        key("user", TEXT),
        key("privileged", BOOL),
        key("working_dir", TEXT),
        key("environment", PAIRS),
    ]],
};

pub(super) const HEALTHCHECK: Kind = Kind::Object(&Object {
    what: "a health check",
    keys: &[&[
        key("disable", BOOL),
        key("interval", DURATION),
        key("retries", COUNT),
        key(
            "test",
            Kind::Form(&Form {
                expand: forms::text::probe,
                long: TEXTS,
            }),
        )
        .replaced(),
        key("timeout", DURATION),
        key("start_period", DURATION),
        key("start_interval", DURATION),
    ]],
});
