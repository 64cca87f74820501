//! Why there is no daemon to be had over ssh.

use std::time::Duration;

/// The exit code of ssh itself, as against that of what it runs.
const SSH_FAILED: i32 = 255;

/// Why there is no daemon to be had over ssh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshFailure {
    /// There is no `ssh` on this machine.
    #[error("there is no program `ssh`")]
    NotInstalled,
    /// It was never connected to before.
    #[error("its host key is not known")]
    UnknownHostKey,
    /// It has another key than it had.
    #[error("its host key is not the one that is known")]
    ChangedHostKey,
    /// It lets nobody in with the keys that there are.
    #[error("permission denied: {0}")]
    Permission(String),
    /// No name server knows it.
    #[error("there is no such host")]
    NoSuchHost,
    /// It can't be reached, in the words of ssh.
    #[error("{0}")]
    NoConnection(String),
    /// It did not let anybody in within this time.
    #[error("no log-in within {}", humantime::format_duration(*.0))]
    Silent(Duration),
    /// There is neither Docker nor Podman.
    #[error("neither Docker nor Podman is found there")]
    NoDaemon,
    /// Docker is there and does not answer, in the words of its command.
    #[error("no daemon answers there: {0}")]
    DaemonSilent(String),
    /// The daemon's socket may not be opened by the user who logs in.
    #[error("the user who logs in may not use the daemon there")]
    DaemonPermission,
    /// The server does not forward the daemon's socket.
    #[error("there is neither `docker` nor `podman` there, and its sshd does not connect to {0}")]
    NotForwarded(String),
    /// Something else, in the words of ssh.
    #[error("{0}")]
    Other(String),
}

impl SshFailure {
    /// What can be done about it; `host` is as `ssh` is given it.
    pub(in crate::docker) fn advice(&self, host: &str) -> String {
        match self {
            Self::NotInstalled => "install it: `sudo apt-get install openssh-client`".to_owned(),
            Self::UnknownHostKey => {
                format!("connect once by hand, and compare the key that it shows: `ssh {host}`")
            }
            Self::ChangedHostKey => format!(
                "was it installed anew? Only if you know that: `ssh-keygen -R {}`, then `ssh {host}`",
                host.split(' ')
                    .next()
                    .and_then(|name| name.rsplit('@').next())
                    .unwrap_or(host)
            ),
            Self::Permission(_) => format!(
                "`ssh {host} true` has to work without a question: put your public key there \
                 (`ssh-copy-id {host}`), and a key with a passphrase into the agent (`ssh-add`)"
            ),
            Self::NoSuchHost | Self::NoConnection(_) | Self::Silent(_) | Self::Other(_) => {
                format!("see what `ssh -v {host}` says")
            }
            Self::NoDaemon => format!(
                "install one there: `ssh {host} sudo apt-get install docker.io`; a socket at \
                 another place is named like ssh://host/path/to/docker.sock"
            ),
            Self::DaemonSilent(_) => {
                format!("is it running? `ssh {host} sudo systemctl start docker` starts it")
            }
            Self::DaemonPermission => format!(
                "add them to the group that may: `ssh {host} 'sudo usermod -aG docker $USER'`"
            ),
            Self::NotForwarded(socket) => format!(
                "install the `docker` command there; or see that the daemon runs, that the user \
                 may open {socket}, and that sshd_config says AllowStreamLocalForwarding yes"
            ),
        }
    }
}

/// What ssh, and through it the other side, wrote to its standard error.
pub(super) struct Words<'a>(pub &'a str);

impl Words<'_> {
    /// What they mean, where ssh ended with `code`.
    pub fn failure(&self, code: Option<i32>) -> SshFailure {
        let says = |text: &str| self.0.contains(text);
        // All else that fails after the log-in is what connects to the daemon there.
        if code.is_some_and(|code| code != SSH_FAILED) && !self.0.trim().is_empty() {
            return match says("permission denied") {
                true => SshFailure::DaemonPermission,
                false => SshFailure::DaemonSilent(self.last()),
            };
        }
        if says("IDENTIFICATION HAS CHANGED") {
            SshFailure::ChangedHostKey
        } else if says("Host key verification failed") {
            SshFailure::UnknownHostKey
        } else if says("Permission denied") || says("Too many authentication failures") {
            SshFailure::Permission(self.last())
        } else if says("Could not resolve hostname") {
            SshFailure::NoSuchHost
        } else if says("Connection refused")
            || says("timed out")
            || says("No route to host")
            || says("Network is unreachable")
        {
            SshFailure::NoConnection(self.last())
        } else if self.0.trim().is_empty() {
            SshFailure::Other(match code {
                Some(code) => format!("ssh ended with exit code {code}"),
                None => "ssh was ended".to_owned(),
            })
        } else {
            SshFailure::Other(self.last())
        }
    }

    /// The last line that is not empty.
    fn last(&self) -> String {
        let mut lines = self.0.lines().rev().map(str::trim);
        let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
        line.trim_start_matches("ssh: ").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_is_understood() {
        let of = |words: &str, code| Words(words).failure(Some(code));
        let unknown = "No ED25519 host key is known for [h]:22 and you have requested strict checking.\r\nHost key verification failed.\r\n";
        assert_eq!(of(unknown, 255), SshFailure::UnknownHostKey);
        let denied = "u@h: Permission denied (publickey).\r\n";
        assert_eq!(
            of(denied, 255),
            SshFailure::Permission("u@h: Permission denied (publickey).".to_owned())
        );
        let socket = "dial unix /var/run/docker.sock: connect: permission denied\n";
        assert_eq!(of(socket, 1), SshFailure::DaemonPermission);
        let silent = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n";
        assert!(matches!(of(silent, 1), SshFailure::DaemonSilent(_)));
        let name = "ssh: Could not resolve hostname nohost: Name or service not known\n";
        assert_eq!(of(name, 255), SshFailure::NoSuchHost);
        assert_eq!(
            of("ssh: connect to host h port 1: Connection refused\n", 255),
            SshFailure::NoConnection("connect to host h port 1: Connection refused".to_owned())
        );
    }

    #[test]
    fn a_key_is_forgotten_by_the_hosts_name() {
        let advice = SshFailure::ChangedHostKey.advice("deploy@web1 -p 22");
        assert!(advice.contains("ssh-keygen -R web1`"), "{advice}");
    }
}
