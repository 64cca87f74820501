//! Keys of a service.

use super::super::forms::{self, identity};
use super::super::syntax;
use super::build::BUILD;
use super::container::CONTAINER;
use super::deploy::{DEPLOY, DEVELOP, HEALTHCHECK, HOOKS};
use super::{BOOL, COUNT, Form, Key, Kind, Merge, Object, PATH, TEXT, TEXTS, key};

const PORT: Kind = Kind::Int {
    min: 1,
    max: 65_535,
};
const UNIQUE: Merge = Merge::Unique(identity);

const DEPENDS_ON: Kind = Kind::Form(&Form {
    expand: forms::text::depends_on,
    long: Kind::Map(&Kind::Object(&Object {
        what: "a dependency",
        keys: &[&[
            key(
                "condition",
                Kind::Word(&[
                    "service_started",
                    "service_healthy",
                    "service_completed_successfully",
                ]),
            )
            .required(),
            key("required", BOOL),
            key("restart", BOOL),
        ]],
    })),
});

const PORTS: Kind = Kind::Form(&Form {
    expand: forms::port::ports,
    long: Kind::List(&Kind::Object(&Object {
        what: "a port",
        keys: &[&[
            key("name", TEXT).ignored("it is a word for people"),
            key("mode", Kind::Word(&["ingress", "host"])),
            key("host_ip", Kind::Syntax(syntax::ip)),
            key("target", PORT).required(),
            key("published", TEXT),
            key("protocol", Kind::Word(&["tcp", "udp", "sctp"])),
            key("app_protocol", TEXT),
        ]],
    })),
});

const PROVIDER: Kind = Kind::Object(&Object {
    what: "a provider",
    keys: &[&[
        key("type", TEXT).required(),
        key("options", Kind::Map(&Kind::Any)),
    ]],
});

const PRE_STARTS: Kind = Kind::List(&Kind::Object(&PRE_START));

static PRE_START: Object = Object {
    what: "a `pre_start` step",
    keys: &[CONTAINER, &[key("per_replica", BOOL)]],
};

const WORKLOAD: &[Key] = &[
    key("attach", BOOL).ignored("rengine attaches to no container: `rengine logs` shows them"),
    key("build", BUILD),
    key("container_name", Kind::Syntax(syntax::container_name)),
    key("depends_on", DEPENDS_ON),
    key("deploy", DEPLOY),
    key("develop", DEVELOP).ignored("it is for `docker compose watch`"),
    key("expose", Kind::List(&Kind::Syntax(syntax::expose))).merged(UNIQUE),
    key(
        "extends",
        Kind::Form(&Form {
            expand: forms::text::extends,
            long: Kind::Object(&Object {
                what: "an `extends`",
                keys: &[&[key("service", TEXT).required(), key("file", PATH)]],
            }),
        }),
    )
    .replaced(),
    key("external_links", TEXTS)
        .merged(UNIQUE)
        .refused("declare a network that both are on as `external`, and join it"),
    key("healthcheck", HEALTHCHECK),
    key("links", TEXTS).merged(UNIQUE),
    key("ports", PORTS).merged(Merge::Unique(forms::port::identity)),
    key("post_start", HOOKS),
    key("pre_start", PRE_STARTS).refused(
        "make it a service of its own, and depend on it with `service_completed_successfully`",
    ),
    key("pre_stop", HOOKS),
    key("profiles", Kind::List(&Kind::Syntax(syntax::profile))).merged(UNIQUE),
    key("provider", PROVIDER).refused("it runs a program on this machine: use a plugin"),
    key("restart", Kind::Syntax(syntax::restart)),
    key("scale", COUNT),
    key("stdin_open", BOOL),
    key("tty", BOOL),
];

/// A service.
pub static SERVICE: Object = Object {
    what: "a service",
    keys: &[CONTAINER, WORKLOAD],
};
