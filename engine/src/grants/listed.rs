//! Grants as a list, for people who are to agree to them.

use std::collections::BTreeSet;

use super::{Grants, Variable};

impl Grants {
    /// Each of them, in words for people: `http https://hooks.example.com`.
    pub fn listed(&self) -> Vec<String> {
        let mut all = Vec::new();
        let flags = [
            ("privileged", self.privileged),
            ("security-options", self.security_options),
            ("docker-socket", self.docker_socket),
            ("context", self.context.is_some()),
            ("exec", self.exec),
            ("state", self.state),
        ];
        let flags = flags.into_iter().filter(|(_, granted)| *granted);
        all.extend(flags.map(|(name, _)| name.to_owned()));
        let names = |name: &'static str, of: Vec<String>| {
            of.into_iter().map(move |one| format!("{name} {one}"))
        };
        all.extend(names("cap-add", self.cap_add.iter().cloned().collect()));
        all.extend(names("devices", self.devices.iter().cloned().collect()));
        all.extend(names(
            "bind-mounts",
            self.bind_mounts.iter().cloned().collect(),
        ));
        let spaces = self.host_namespaces.iter();
        let spaces = spaces.map(|space| format!("{space:?}").to_lowercase());
        all.extend(names("host-namespaces", spaces.collect()));
        all.extend(names("http", self.http.entries()));
        let strings = |of: &BTreeSet<Variable>| of.iter().map(ToString::to_string).collect();
        all.extend(names("secrets", strings(&self.secrets)));
        all.extend(names("env", strings(&self.env)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_granted_is_listed() {
        let text = "privileged = true\ncap-add = [\"NET_ADMIN\"]\ndevices = [\"/dev/fuse\"]\n\
            bind-mounts = [\"/srv\"]\nhost-namespaces = [\"pid\"]\nsecurity-options = true\n\
            docker-socket = true\ncontext = \"read\"\n\
            http = [\"a.example\", \"http://*.b.example:8080\"]\nexec = true\n\
            secrets = [\"TOKEN\"]\nenv = [\"HOME\"]\nstate = true\n";
        let grants: Grants = toml::from_str(text).expect("grants");
        let listed = grants.listed();
        assert_eq!(
            listed,
            [
                "privileged",
                "security-options",
                "docker-socket",
                "context",
                "exec",
                "state",
                "cap-add NET_ADMIN",
                "devices /dev/fuse",
                "bind-mounts /srv",
                "host-namespaces pid",
                "http https://a.example",
                "http http://*.b.example:8080",
                "secrets TOKEN",
                "env HOME",
            ]
        );
        assert!(Grants::default().listed().is_empty());
    }
}
