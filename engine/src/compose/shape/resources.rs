//! Keys at the top of a file, and what they declare.

use super::super::forms;
use super::container::LABELS;
use super::service::SERVICE;
use super::{BOOL, COUNT, Form, Kind, Merge, Object, PATH, TEXT, TEXT_MAP, TEXTS, key};

const SWARM: &str = "only Swarm keeps configs and secrets outside of files";

/// `external: true`, or the older `external: {name: …}`.
const fn external(long: Kind) -> Form {
    Form {
        expand: forms::text::external,
        long,
    }
}

static IPAM: Object = Object {
    what: "an `ipam`",
    keys: &[&[
        key("driver", TEXT),
        key(
            "config",
            Kind::List(&Kind::Object(&Object {
                what: "a pool of addresses",
                keys: &[&[
                    key("subnet", TEXT),
                    key("ip_range", TEXT),
                    key("gateway", TEXT),
                    key("aux_addresses", TEXT_MAP),
                ]],
            })),
        )
        .merged(Merge::UniqueMerged(forms::mounts::subnet)),
        key("options", TEXT_MAP),
    ]],
};

static NETWORK: Form = external(Kind::Object(&Object {
    what: "a network",
    keys: &[&[
        key("name", TEXT),
        key("driver", TEXT),
        key("driver_opts", TEXT_MAP),
        key("ipam", Kind::Object(&IPAM)),
        key("external", BOOL),
        key("internal", BOOL),
        key("enable_ipv4", BOOL),
        key("enable_ipv6", BOOL),
        key("attachable", BOOL),
        key("labels", LABELS),
    ]],
}));

static VOLUME: Form = Form {
    expand: forms::volume::declared,
    long: VOLUME_KEYS,
};

const VOLUME_KEYS: Kind = Kind::Object(&Object {
    what: "a volume",
    keys: &[&[
        key("name", TEXT),
        key("driver", TEXT),
        key("driver_opts", TEXT_MAP),
        key("external", BOOL),
        key("labels", LABELS),
    ]],
});

static SECRET: Form = external(Kind::Object(&Object {
    what: "a secret",
    keys: &[&[
        key("name", TEXT),
        key("environment", TEXT),
        key("file", PATH),
        key("external", BOOL).refused(SWARM),
        key("labels", LABELS).ignored(SWARM),
        key("driver", TEXT).refused(SWARM),
        key("driver_opts", TEXT_MAP).refused(SWARM),
        key("template_driver", TEXT).refused(SWARM),
    ]],
}));

static CONFIG: Form = external(Kind::Object(&Object {
    what: "a config",
    keys: &[&[
        key("name", TEXT),
        key("content", TEXT),
        key("environment", TEXT),
        key("file", PATH),
        key("external", BOOL).refused(SWARM),
        key("labels", LABELS).ignored(SWARM),
        key("template_driver", TEXT).refused(SWARM),
    ]],
}));

static MODEL: Object = Object {
    what: "a model",
    keys: &[&[
        key("name", TEXT),
        key("model", TEXT).required(),
        key("context_size", COUNT),
        key("runtime_flags", TEXTS),
    ]],
};

/// An entry of `include`.
pub static INCLUDE: Kind = Kind::List(&Kind::Form(&Form {
    expand: forms::text::include,
    long: Kind::Object(&Object {
        what: "an `include`",
        keys: &[&[
            key("path", Kind::List(&PATH)).required(),
            key("env_file", Kind::List(&PATH)),
            key("project_directory", PATH),
        ]],
    }),
}));

/// A Compose file.
pub static PROJECT: Object = Object {
    what: "a Compose file",
    keys: &[&[
        key("name", TEXT),
        key("version", TEXT).ignored("the specification has no versions any more"),
        key("include", INCLUDE),
        key("services", Kind::Map(&Kind::Object(&SERVICE))),
        key(
            "networks",
            Kind::Map(&Kind::Nullable(&Kind::Form(&NETWORK))),
        ),
        key("volumes", Kind::Map(&Kind::Nullable(&Kind::Form(&VOLUME)))),
        key("secrets", Kind::Map(&Kind::Form(&SECRET))),
        key("configs", Kind::Map(&Kind::Form(&CONFIG))),
        key("models", Kind::Map(&Kind::Object(&MODEL)))
            .refused("models need a runner of models, which rengine does not start"),
        key("jobs", Kind::Map(&Kind::Any))
            .refused("the specification has them only since 2026: use `pre_start`, or a service"),
    ]],
};
