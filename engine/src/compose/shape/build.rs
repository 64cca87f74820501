//! Keys of `build`.

use super::super::forms::{self, identity};
use super::super::syntax;
use super::container::{HOSTS, LABELS, ONE_OR_MORE, PAIRS, ULIMITS};
use super::{BOOL, BYTES, Form, Kind, Merge, Object, PATH, TEXT, TEXTS, key};

/// Why who may read a secret is not said here.
const OF_THE_STEP: &str = "`RUN --mount=type=secret` says it, in the Dockerfile";

const SECRETS: Kind = Kind::List(&Kind::Form(&Form {
    expand: forms::mounts::file_mount,
    long: Kind::Object(&Object {
        what: "a secret of a build",
        keys: &[&[
            key("source", TEXT).required(),
            key("target", TEXT),
            key("uid", TEXT).ignored(OF_THE_STEP),
            key("gid", TEXT).ignored(OF_THE_STEP),
            key("mode", Kind::Mode).ignored(OF_THE_STEP),
        ]],
    }),
}));

pub(super) const BUILD: Kind = Kind::Form(&Form {
    expand: forms::text::build,
    long: Kind::Object(&Object {
        what: "a `build`",
        keys: &[&[
            key("context", Kind::Context),
            key("dockerfile", TEXT),
            key("dockerfile_inline", TEXT),
            key("entitlements", TEXTS)
                .refused("builds get no rights that the daemon does not give to all"),
            key("args", PAIRS),
            key(
                "ssh",
                Kind::Form(&Form {
                    expand: forms::text::pairs,
                    long: Kind::Map(&Kind::Nullable(&PATH)),
                }),
            ),
            key("labels", LABELS),
            key("cache_from", TEXTS),
            key("cache_to", TEXTS),
            key("no_cache", BOOL),
            key("no_cache_filter", ONE_OR_MORE)
                .refused("the daemon's own builder knows only `no_cache`"),
            key(
                "additional_contexts",
                Kind::Form(&Form {
                    expand: forms::text::labels,
                    long: Kind::Map(&Kind::Context),
                }),
            ),
            key("network", TEXT),
            key("provenance", TEXT).ignored("the daemon's own builder makes no attestations"),
            key("sbom", TEXT).ignored("the daemon's own builder makes no attestations"),
            key("pull", BOOL),
            key("target", TEXT),
            key("shm_size", BYTES),
            key("extra_hosts", HOSTS),
            key("isolation", TEXT),
            key("privileged", BOOL)
                .refused("builds get no rights that the daemon does not give to all"),
            key("secrets", SECRETS).merged(Merge::Unique(forms::mounts::build_secret)),
            key("tags", TEXTS).merged(Merge::Unique(identity)),
            key("ulimits", ULIMITS),
            key("platforms", Kind::List(&Kind::Syntax(syntax::platform)))
                .merged(Merge::Unique(identity)),
        ]],
    }),
});
