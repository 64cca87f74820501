//! Keys of `build`.

use super::super::forms::{self, identity};
use super::super::syntax;
use super::container::{FILE_MOUNTS, HOSTS, LABELS, ONE_OR_MORE, PAIRS, ULIMITS};
use super::{BOOL, BYTES, Form, Kind, Merge, Object, PATH, TEXT, TEXTS, key};

/// What a build of rengine has no setting for so far.
const YET: &str = "builds of rengine have no such setting yet";

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
            )
            .refused(YET),
            key("labels", LABELS),
            key("cache_from", TEXTS),
            key("cache_to", TEXTS)
                .ignored("the daemon's own builder keeps its cache, and can't export it elsewhere"),
            key("no_cache", BOOL),
            key("no_cache_filter", ONE_OR_MORE)
                .refused("the daemon's own builder knows only `no_cache`"),
            key(
                "additional_contexts",
                Kind::Form(&Form {
                    expand: forms::text::labels,
                    long: Kind::Map(&Kind::Context),
                }),
            )
            .refused(YET),
            key("network", TEXT).refused(YET),
            key("provenance", TEXT).ignored("the daemon's own builder makes no attestations"),
            key("sbom", TEXT).ignored("the daemon's own builder makes no attestations"),
            key("pull", BOOL).refused(YET),
            key("target", TEXT),
            key("shm_size", BYTES).refused(YET),
            key("extra_hosts", HOSTS).refused(YET),
            key("isolation", TEXT).refused("containers of Windows are not deployed"),
            key("privileged", BOOL)
                .refused("builds get no rights that the daemon does not give to all"),
            key("secrets", FILE_MOUNTS)
                .merged(Merge::Unique(forms::mounts::build_secret))
                .refused(YET),
            key("tags", TEXTS)
                .merged(Merge::Unique(identity))
                .refused(YET),
            key("ulimits", ULIMITS).refused(YET),
            key("platforms", Kind::List(&Kind::Syntax(syntax::platform)))
                .merged(Merge::Unique(identity)),
        ]],
    }),
});
