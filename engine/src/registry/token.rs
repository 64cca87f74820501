//! Who one is to a registry: what it wants to be shown, and tokens from the server that it names
//! (<https://distribution.github.io/distribution/spec/auth/token/>, and `oauth` beside it for identity tokens).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_auth::ChallengeRef;
use reqwest::header::{CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;

use super::error::Failure;
use super::reference::is_loopback;
use super::wire::{Host, Scope};
use crate::credentials::Login;

/// How long a token counts that does not say it: by the specification.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// How long a token counts at most, whatever is said of it.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(10);
/// The largest answer of a token server, in bytes.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// What token servers are told that this is.
const CLIENT: &str = "rengine";
/// The user for whom registries take an identity token as the password, where they have no other way.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What a request shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Pass {
    Nobody,
    Basic { user: String, password: String },
    Bearer(String),
}

impl Pass {
    /// Puts it into a request.
    pub fn show(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nobody => request,
            Self::Basic { user, password } => request.basic_auth(user, Some(password)),
            Self::Bearer(token) => request.bearer_auth(token),
        }
    }
}

/// What a registry wants to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    /// A token that a server gives.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// What an answer wants to be shown; nothing that is not understood is in it.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut found = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let parsed = value.to_str().ok().map(http_auth::parse_challenges);
        let Some(Ok(parsed)) = parsed else { continue };
        found.extend(parsed.iter().filter_map(challenge));
    }
    found
}

fn challenge(told: &ChallengeRef<'_>) -> Option<Challenge> {
    let get = |wanted: &str| {
        let mut params = told.params.iter();
        let found = params.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.to_unescaped())
    };
    match told.scheme.to_ascii_lowercase().as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: get("realm")?,
            service: get("service"),
            scope: get("scope").filter(|scope| !scope.is_empty()),
        }),
        _ => None,
    }
}

/// What a registry was shown, by what for.
pub(super) struct Passes {
    login: Option<Login>,
    known: Mutex<HashMap<Scope, (Pass, Option<Instant>)>>,
}

impl Passes {
    pub fn new(login: Option<Login>) -> Self {
        Self {
            login,
            known: Mutex::default(),
        }
    }

    pub fn user(&self) -> Option<String> {
        self.login.as_ref().map(Login::user)
    }

    /// What was good before.
    pub fn known(&self, scope: &Scope) -> Pass {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(scope) {
            Some((pass, end)) if end.is_none_or(|end| Instant::now() < end) => pass.clone(),
            _ => Pass::Nobody,
        }
    }

    /// What these challenges want.
    pub async fn get(
        &self,
        host: &Host,
        scope: &Scope,
        challenges: &[Challenge],
    ) -> Result<Pass, Failure> {
        for challenge in challenges {
            let found = match challenge {
                Challenge::Basic => self.basic().map(|pass| (pass, None)),
                Challenge::Bearer {
                    realm,
                    service,
                    scope: wanted,
                } => {
                    // A reading of what is to be written to is part of it: one token for both.
                    let wanted = wanted.as_deref().filter(|wanted| !scope.covers(wanted));
                    let asked = Asked {
                        realm,
                        service: service.as_deref(),
                        scope: wanted.unwrap_or(scope.as_str()),
                    };
                    Some(self.bearer(host, asked).await?)
                }
            };
            if let Some((pass, life)) = found {
                let end = life.map(|life: Duration| Instant::now() + life.saturating_sub(MARGIN));
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(scope.clone(), (pass.clone(), end));
                return Ok(pass);
            }
        }
        Err(Failure::Denied)
    }

    fn basic(&self) -> Option<Pass> {
        let login = self.login.as_ref()?;
        Some(Pass::Basic {
            user: login.username.clone()?,
            password: login.password.clone()?,
        })
    }

    async fn bearer(
        &self,
        host: &Host,
        asked: Asked<'_>,
    ) -> Result<(Pass, Option<Duration>), Failure> {
        let login = self.login.as_ref();
        if let Some(token) = login.and_then(|login| login.registry_token.clone()) {
            return Ok((Pass::Bearer(token), None));
        }
        let basic = self.basic();
        let realm = asked.realm(login.is_some())?;
        // An identity token stands for a password, and Docker leaves that out then.
        let identity = login.and_then(|login| login.identity_token.as_deref());
        let Some(identity) = identity else {
            return asked.get(host, realm, &basic.unwrap_or(Pass::Nobody)).await;
        };
        match asked.post(host, realm.clone(), identity).await {
            // The server knows nothing of them: some take them as a password.
            Err(Failure::NotFound | Failure::Other(_)) => {
                let pass = Pass::Basic {
                    user: NOBODY.to_owned(),
                    password: identity.to_owned(),
                };
                asked.get(host, realm, &pass).await
            }
            answer => answer,
        }
    }
}

/// What a token server is asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    realm: &'a str,
    service: Option<&'a str>,
    scope: &'a str,
}

impl Asked<'_> {
    /// Where the server is. Who this is, is not sent to one without TLS, unless it is on this machine.
    fn realm(self, secret: bool) -> Result<Url, Failure> {
        let wrong = |words: &str| {
            let realm = self.realm;
            Failure::Other(format!("{words}: it names the token server {realm}"))
        };
        let realm = Url::parse(self.realm).map_err(|_| wrong("that can't be asked"))?;
        let near = realm.host_str().is_some_and(is_loopback);
        match realm.scheme() {
            "https" => Ok(realm),
            "http" if !secret || near => Ok(realm),
            _ => Err(wrong("no password is sent without TLS")),
        }
    }

    fn pairs(self) -> Vec<(&'static str, String)> {
        let service = self.service.map(|service| ("service", service.to_owned()));
        let scope = ("scope", self.scope.to_owned());
        service.into_iter().chain([scope]).collect()
    }

    async fn get(
        self,
        host: &Host,
        mut realm: Url,
        pass: &Pass,
    ) -> Result<(Pass, Option<Duration>), Failure> {
        realm.query_pairs_mut().extend_pairs(self.pairs());
        if let Pass::Basic { user, .. } = pass {
            realm.query_pairs_mut().append_pair("account", user);
        }
        let pass = pass.clone();
        let request = move |client: &reqwest::Client| pass.show(client.get(realm));
        token(host, host.ask_token(request).await?).await
    }

    /// The way of OAuth 2.0 with a token that is kept instead of a password.
    async fn post(
        self,
        host: &Host,
        realm: Url,
        identity: &str,
    ) -> Result<(Pass, Option<Duration>), Failure> {
        let mut form = realm.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", CLIENT)
            .append_pair("refresh_token", identity)
            .extend_pairs(self.pairs());
        let form = form.query().unwrap_or_default().to_owned();
        let request = move |client: &reqwest::Client| {
            let kind = "application/x-www-form-urlencoded";
            client.post(realm).header(CONTENT_TYPE, kind).body(form)
        };
        token(host, host.ask_token(request).await?).await
    }
}

async fn token(
    host: &Host,
    response: reqwest::Response,
) -> Result<(Pass, Option<Duration>), Failure> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
        #[serde(default)]
        expires_in: serde_json::Value,
    }
    if response.status() != StatusCode::OK {
        return Err(host.refused(response).await);
    }
    let bytes = host
        .body(response, MAX_TOKEN_BYTES, "the token server's answer")
        .await?;
    let answer: Option<Answer> = serde_json::from_slice(&bytes).ok();
    let life = answer.as_ref().and_then(|answer| life(&answer.expires_in));
    let life = life.unwrap_or(DEFAULT_LIFE);
    let token = answer.and_then(|answer| answer.token.or(answer.access_token));
    // The answer itself may be half a secret.
    let none = || Failure::Other("its token server gives no token".to_owned());
    let token = token.filter(|token| !token.is_empty()).ok_or_else(none)?;
    Ok((Pass::Bearer(token), Some(life)))
}

/// What a server says of how long a token counts, in seconds; not all write it as the specification has it.
fn life(said: &serde_json::Value) -> Option<Duration> {
    let seconds = match said {
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    let seconds = Some(seconds).filter(|seconds: &f64| seconds.is_finite())?;
    let seconds = seconds.clamp(0.0, LONGEST_LIFE.as_secs_f64());
    Some(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_wants_is_read() {
        let of = |texts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(WWW_AUTHENTICATE, text.parse().expect("a header"));
            }
            challenges(&headers)
        };
        let bearer = |scope: Option<&str>| Challenge::Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: Some("r.example".to_owned()),
            scope: scope.map(str::to_owned),
        };
        let text = r#"Bearer realm="https://auth.example/token",service="r.example""#;
        assert_eq!(of(&[text]), [bearer(None)]);
        let scoped = r#"bearer realm="https://auth.example/token",service="r.example",scope="repository:a:pull""#;
        assert_eq!(of(&[scoped]), [bearer(Some("repository:a:pull"))]);
        assert_eq!(
            of(&[r#"Negotiate, Basic realm="r""#, text]),
            [Challenge::Basic, bearer(None)]
        );
        assert!(of(&["Bearer service=\"r\"", "=;=", "Bearer realm"]).is_empty());
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn no_token_counts_longer_than_a_day() {
        for (said, seconds) in [
            ("300", Some(300)),
            ("300.0", Some(300)),
            ("\"300\"", Some(300)),
            ("-5", Some(0)),
            ("0", Some(0)),
            ("18446744073709551615", Some(86_400)),
            ("1e300", Some(86_400)),
            ("\"-inf\"", None),
            ("\"NaN\"", None),
            ("\"soon\"", None),
            ("null", None),
            ("{}", None),
        ] {
            let value = serde_json::from_str(said).expect(said);
            assert_eq!(life(&value), seconds.map(Duration::from_secs), "{said}");
        }
    }

    #[test]
    fn a_password_goes_to_this_machine_or_by_tls() {
        let sent = |realm: &str, secret: bool| {
            let asked = Asked {
                realm,
                service: None,
                scope: "repository:a:pull",
            };
            asked.realm(secret).is_ok()
        };
        for near in [
            "http://127.0.0.1:5001/token",
            "http://localhost/token",
            "http://[::1]/token",
        ] {
            assert!(sent(near, true), "{near}");
        }
        assert!(sent("https://auth.example/token", true));
        assert!(
            sent("http://auth.example/token", false),
            "nobody is named there"
        );
        for far in [
            "http://auth.example/token",
            "http://10.0.0.1/token",
            "ftp://localhost/token",
        ] {
            assert!(!sent(far, true), "{far}");
        }
    }
}
