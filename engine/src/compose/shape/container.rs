//! Keys that describe a container: those of a service that its `pre_start` steps have, too.

use super::super::forms::{self, identity};
use super::super::syntax;
use super::{
    BOOL, BYTES, DURATION, Form, INT, Key, Kind, Merge, NULLABLE_MAP, NUMBER, Object, PATH, TEXT,
    TEXT_MAP, TEXTS, WEIGHT, key,
};

const WINDOWS: &str = "containers of Windows are not deployed";

/// `KEY=VALUE` in a list or a mapping.
pub(super) const PAIRS: Kind = Kind::Form(&Form {
    expand: forms::text::pairs,
    long: NULLABLE_MAP,
});
/// The same where each key has a value.
pub(super) const LABELS: Kind = Kind::Form(&Form {
    expand: forms::text::labels,
    long: TEXT_MAP,
});
/// One text, or a list.
pub(super) const ONE_OR_MORE: Kind = Kind::Form(&Form {
    expand: forms::text::one_or_more,
    long: TEXTS,
});
/// A command line as one text, or as its words.
pub(super) const COMMAND: Kind = Kind::Form(&Form {
    expand: forms::text::command,
    long: Kind::Nullable(&TEXTS),
});
/// Names of hosts with their addresses.
pub(super) const HOSTS: Kind = Kind::Form(&Form {
    expand: forms::text::hosts,
    long: Kind::Map(&TEXTS),
});
pub(super) const ULIMITS: Kind = Kind::Map(&Kind::Form(&Form {
    expand: forms::mounts::ulimit,
    long: Kind::Object(&Object {
        what: "a limit",
        keys: &[&[key("soft", INT).required(), key("hard", INT).required()]],
    }),
}));
/// Configs and secrets in a container.
pub(super) const FILE_MOUNTS: Kind = Kind::List(&Kind::Form(&Form {
    expand: forms::mounts::file_mount,
    long: Kind::Object(&Object {
        what: "a config or secret of a service",
        keys: &[&[
            key("source", TEXT).required(),
            key("target", TEXT),
            key("uid", TEXT),
            key("gid", TEXT),
            key("mode", Kind::Mode),
        ]],
    }),
}));
pub(super) const MEMORY: Kind = Kind::Bytes { unlimited: true };
const UNIQUE: Merge = Merge::Unique(identity);
const BY_TARGET: Merge = Merge::Unique(forms::mounts::target);

const BLKIO_LIMITS: Kind = Kind::List(&Kind::Object(&Object {
    what: "a limit of a device",
    keys: &[&[key("path", TEXT).required(), key("rate", BYTES).required()]],
}));
const BY_PATH: Merge = Merge::Unique(forms::mounts::path);

static BLKIO: Object = Object {
    what: "a `blkio_config`",
    keys: &[&[
        key("device_read_bps", BLKIO_LIMITS).merged(BY_PATH),
        key("device_read_iops", BLKIO_LIMITS).merged(BY_PATH),
        key("device_write_bps", BLKIO_LIMITS).merged(BY_PATH),
        key("device_write_iops", BLKIO_LIMITS).merged(BY_PATH),
        key("weight", WEIGHT),
        key(
            "weight_device",
            Kind::List(&Kind::Object(&Object {
                what: "a weight of a device",
                keys: &[&[
                    key("path", TEXT).required(),
                    key("weight", WEIGHT).required(),
                ]],
            })),
        )
        .merged(BY_PATH),
    ]],
};

const DEVICES: Kind = Kind::List(&Kind::Form(&Form {
    expand: forms::mounts::device,
    long: Kind::Object(&Object {
        what: "a device",
        keys: &[&[
            key("source", TEXT).required(),
            key("target", TEXT),
            key("permissions", Kind::Syntax(syntax::device_permissions)),
        ]],
    }),
}));

const ENV_FILES: Kind = Kind::Form(&Form {
    expand: forms::text::env_files,
    long: Kind::List(&Kind::Object(&Object {
        what: "an environment file",
        keys: &[&[
            key("path", PATH).required(),
            key("format", Kind::Word(&["raw"])),
            key("required", BOOL),
        ]],
    })),
});

/// What `gpus` and `deploy.resources.reservations.devices` ask for.
pub(super) const DEVICE_REQUESTS: Kind = Kind::Form(&Form {
    expand: forms::mounts::gpus,
    long: Kind::List(&Kind::Object(&Object {
        what: "a request for devices",
        keys: &[&[
            key("capabilities", TEXTS),
            key("count", Kind::Syntax(syntax::device_count)),
            key("device_ids", TEXTS),
            key("driver", TEXT),
            key("options", LABELS),
        ]],
    })),
});

static LOGGING: Object = Object {
    what: "a `logging`",
    keys: &[&[key("driver", TEXT), key("options", NULLABLE_MAP)]],
};

const MODELS: Kind = Kind::Form(&Form {
    expand: forms::text::names,
    long: Kind::Map(&Kind::Nullable(&Kind::Object(&Object {
        what: "a model of a service",
        keys: &[&[key("endpoint_var", TEXT), key("model_var", TEXT)]],
    }))),
});

const NETWORKS: Kind = Kind::Form(&Form {
    expand: forms::text::names,
    long: Kind::Map(&Kind::Nullable(&Kind::Object(&Object {
        what: "a network of a service",
        keys: &[&[
            key("aliases", TEXTS).merged(UNIQUE),
            key("interface_name", TEXT)
                .refused("the daemons that rengine is made for do not name interfaces"),
            key("ipv4_address", Kind::Syntax(syntax::ipv4)),
            key("ipv6_address", Kind::Syntax(syntax::ipv6)),
            key("link_local_ips", Kind::List(&Kind::Syntax(syntax::ip))).merged(UNIQUE),
            key("mac_address", TEXT),
            key("driver_opts", TEXT_MAP),
            key("priority", NUMBER),
            key("gw_priority", NUMBER),
            key("use_service_name_alias", BOOL).ignored("a service always answers by its own name"),
        ]],
    }))),
});

const VOLUMES: Kind = Kind::List(&Kind::Form(&Form {
    expand: forms::volume::volume,
    long: Kind::Object(&VOLUME),
}));

static VOLUME: Object = Object {
    what: "a volume of a service",
    keys: &[&[
        key(
            "type",
            Kind::Word(&["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
        )
        .required(),
        key("source", TEXT),
        key("target", TEXT).required(),
        key("read_only", BOOL),
        key("consistency", TEXT).ignored("only Docker Desktop for Mac ever knew it"),
        key(
            "bind",
            Kind::Object(&Object {
                what: "options of a bind mount",
                keys: &[&[
                    key("propagation", TEXT),
                    key("create_host_path", BOOL),
                    key(
                        "recursive",
                        Kind::Word(&["enabled", "disabled", "writable", "readonly"]),
                    ),
                    key("selinux", Kind::Word(&["z", "Z"]))
                        .ignored("files get no label of SELinux: give them one with `chcon`"),
                ]],
            }),
        ),
        key(
            "volume",
            Kind::Object(&Object {
                what: "options of a volume",
                keys: &[&[
                    key("labels", LABELS)
                        .ignored("a volume without a name gets no labels: give it a name"),
                    key("nocopy", BOOL),
                    key("subpath", TEXT),
                ]],
            }),
        ),
        key(
            "tmpfs",
            Kind::Object(&Object {
                what: "options of a tmpfs",
                keys: &[&[key("size", BYTES), key("mode", Kind::Mode)]],
            }),
        ),
        key(
            "image",
            Kind::Object(&Object {
                what: "options of an image mount",
                keys: &[&[key("subpath", TEXT)]],
            }),
        )
        .refused("mounts of images need a daemon with API 1.48"),
    ]],
};

/// Keys of every container.
pub(super) const CONTAINER: &[Key] = &[
    key("annotations", LABELS),
    key("blkio_config", Kind::Object(&BLKIO)),
    key("cap_add", TEXTS).merged(UNIQUE),
    key("cap_drop", TEXTS).merged(UNIQUE),
    key("cgroup", Kind::Word(&["host", "private"])),
    key("cgroup_parent", TEXT),
    key("command", COMMAND).replaced(),
    key("configs", FILE_MOUNTS).merged(Merge::Unique(forms::mounts::config_target)),
    key("cpu_count", INT).refused(WINDOWS),
    key("cpu_percent", INT).refused(WINDOWS),
    key("cpu_period", Kind::Syntax(syntax::microseconds)),
    key("cpu_quota", Kind::Syntax(syntax::microseconds)),
    key("cpu_rt_period", Kind::Syntax(syntax::microseconds)),
    key("cpu_rt_runtime", Kind::Syntax(syntax::microseconds)),
    key("cpu_shares", INT),
    key("cpus", NUMBER),
    key("cpuset", TEXT),
    key(
        "credential_spec",
        Kind::Object(&Object {
            what: "a `credential_spec`",
            keys: &[&[
                key("config", TEXT),
                key("file", TEXT),
                key("registry", TEXT),
            ]],
        }),
    )
    .refused(WINDOWS),
    key("device_cgroup_rules", TEXTS),
    key("devices", DEVICES).merged(BY_TARGET),
    key("dns", ONE_OR_MORE).merged(UNIQUE),
    key("dns_opt", TEXTS).merged(UNIQUE),
    key("dns_search", ONE_OR_MORE).merged(UNIQUE),
    key("domainname", TEXT),
    key("entrypoint", COMMAND).replaced(),
    key("env_file", ENV_FILES).merged(BY_PATH),
    key("environment", PAIRS),
    key("extra_hosts", HOSTS),
    key("gpus", DEVICE_REQUESTS),
    key("group_add", TEXTS).merged(UNIQUE),
    key("hostname", TEXT),
    key("image", TEXT),
    key("init", BOOL),
    key("ipc", Kind::Syntax(syntax::namespace)),
    key("isolation", TEXT).refused(WINDOWS),
    key(
        "label_file",
        Kind::Form(&Form {
            expand: forms::text::one_or_more,
            long: Kind::List(&PATH),
        }),
    )
    .merged(UNIQUE),
    key("labels", LABELS),
    key("logging", Kind::Object(&LOGGING)).merged(Merge::SameOnly("driver")),
    key("mac_address", TEXT),
    key("mem_limit", BYTES),
    key("mem_reservation", BYTES),
    key("mem_swappiness", Kind::Int { min: 0, max: 100 }),
    key("memswap_limit", MEMORY),
    key("models", MODELS).refused("models need a runner of models, which rengine does not start"),
    key("network_mode", Kind::Syntax(syntax::namespace)),
    key("networks", NETWORKS),
    key("oom_kill_disable", BOOL),
    key(
        "oom_score_adj",
        Kind::Int {
            min: -1000,
            max: 1000,
        },
    ),
    key("pid", Kind::Nullable(&Kind::Syntax(syntax::namespace))),
    key("pids_limit", INT),
    key("platform", Kind::Syntax(syntax::platform)),
    key("privileged", BOOL),
    key("pull_policy", Kind::Syntax(syntax::pull_policy)),
    key("pull_refresh_after", DURATION)
        .ignored("write `pull_policy: every_12h`, which does the same"),
    key("read_only", BOOL),
    key("runtime", TEXT),
    key("secrets", FILE_MOUNTS).merged(Merge::Unique(forms::mounts::secret_target)),
    key("security_opt", TEXTS).merged(UNIQUE),
    key("shm_size", BYTES),
    key("stop_grace_period", DURATION),
    key("stop_signal", TEXT),
    key("storage_opt", TEXT_MAP),
    key("sysctls", LABELS),
    key("tmpfs", ONE_OR_MORE).merged(Merge::Unique(forms::mounts::tmpfs)),
    key("ulimits", ULIMITS),
    key("umask", Kind::Nullable(&Kind::Mode)).refused("no daemon can set it"),
    key("use_api_socket", BOOL)
        .refused("it hands the daemon to the container: mount its socket, which shows in a plan"),
    key("user", TEXT),
    key("userns_mode", TEXT),
    key("uts", Kind::Word(&["host"])),
    key("volumes", VOLUMES).merged(BY_TARGET),
    key(
        "volumes_from",
        Kind::List(&Kind::Syntax(syntax::volumes_from)),
    )
    .merged(UNIQUE),
    key("working_dir", TEXT),
];
