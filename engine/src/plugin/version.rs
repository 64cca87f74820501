//! Which versions of the interface this host runs.

use super::WIT_VERSION;

/// How a version of the package `rengine:plugin` stands to this host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Plugins that were built for it run.
    Runs,
    /// This host does not have it any more.
    Older,
    /// It is no release, such as `0.2.0-rc.1`: nobody promised anything of it.
    Unreleased,
    /// This host does not have it yet.
    Newer,
}

/// How `version` stands to this host's. Plugins run that were built for a version which semver
/// calls compatible, and which is not newer: a newer one may have what this host has not.
pub fn fit(version: &str) -> Fit {
    let (Some(theirs), Some(ours)) = (parse(version), parse(WIT_VERSION)) else {
        return Fit::Unreleased;
    };
    // https://semver.org, and Cargo for what starts with 0: the first number that is not 0 tells.
    let same_line = theirs[0] == ours[0] && (ours[0] > 0 || theirs[1] == ours[1]);
    match theirs.cmp(&ours) {
        std::cmp::Ordering::Greater => Fit::Newer,
        _ if same_line => Fit::Runs,
        _ => Fit::Older,
    }
}

fn parse(version: &str) -> Option<[u64; 3]> {
    let mut numbers = version.splitn(3, '.').map(|part| part.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

impl Fit {
    /// Why a component that has the interface `name` does not run, and what to do about it.
    pub fn told(self, name: &str) -> (String, String) {
        let version = name.rsplit_once('@').map_or("", |(_, version)| version);
        let (why, help) = match self {
            Self::Newer => (
                format!("which is newer than this rengine's {WIT_VERSION}"),
                format!(
                    "update rengine to a release that has {version}, or use a version of the \
                     plugin that was built for {WIT_VERSION}"
                ),
            ),
            Self::Older => (
                format!("which this rengine, that has {WIT_VERSION}, does not run any more"),
                format!(
                    "use a newer version of the plugin, one that was built for {WIT_VERSION}; if \
                     it is yours, build it against `rengine:plugin@{WIT_VERSION}`"
                ),
            ),
            Self::Unreleased | Self::Runs => (
                format!("which is no release; this rengine has {WIT_VERSION}"),
                format!("build the plugin against `rengine:plugin@{WIT_VERSION}`"),
            ),
        };
        (
            format!("it was built for version {version} of the plugin interface ({name}), {why}"),
            help,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_up_to_ours_run() {
        for (version, expected) in [
            ("0.1.0", Fit::Runs),
            ("0.1.1", Fit::Newer),
            ("0.2.0", Fit::Newer),
            ("1.0.0", Fit::Newer),
            ("0.0.9", Fit::Older),
            ("0.1.0-rc.1", Fit::Unreleased),
            ("0.2.0+build", Fit::Unreleased),
            ("0.1", Fit::Unreleased),
            ("99999999999999999999.0.0", Fit::Unreleased),
            ("x", Fit::Unreleased),
            ("", Fit::Unreleased),
        ] {
            assert_eq!(fit(version), expected, "{version}");
        }
    }
}
