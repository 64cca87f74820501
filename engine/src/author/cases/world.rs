//! What a plugin can reach by its grants, as a case gives it: nothing of it is outside of the case.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde::Deserialize;

use crate::grants::Variable;
use crate::plugin::{
    Answers, Entries, HttpResponse, OutgoingRequest, PluginState, Settings, StateAccess,
};
use crate::secrets::{Redactor, Secret};

/// The environment, secrets, state and other hosts of a case.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Environment variables, of which it sees those that are granted.
    pub env: BTreeMap<Variable, String>,
    /// Secrets, of which it reads those that are granted.
    pub secrets: BTreeMap<Variable, String>,
    /// What was kept for it.
    pub state: BTreeMap<String, String>,
    /// What other hosts answer.
    pub(super) answers: Vec<Answer>,
}

/// What another host answers to a request, or to one after another of the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// There is no answer, and this is why.
    error: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

const fn ok() -> u16 {
    200
}

/// What is around a plugin that was loaded for a case, and what it did there.
pub(super) struct Around {
    pub outside: Arc<Outside>,
    state: Option<(PluginState, Arc<Kept>)>,
}

/// Other hosts.
#[derive(Debug, Default)]
pub(super) struct Outside {
    given: Vec<Answer>,
    sent: Mutex<Vec<OutgoingRequest>>,
}

/// State, in memory.
#[derive(Debug, Default)]
struct Kept(Mutex<Entries>);

impl World {
    /// Puts a plugin with these settings into it.
    pub(super) fn around(&self, settings: &mut Settings) -> Around {
        let grants = settings.grants.clone();
        let env = grants.env().filter_map(|name| {
            let value = self.env.get(name.as_str())?;
            Some((name.to_string(), value.clone()))
        });
        settings.env = env.collect();
        let secrets = grants.secrets().filter_map(|name| {
            let value = self.secrets.get(name.as_str())?;
            Some((name.clone(), Secret::new(value.clone())))
        });
        settings.secrets = secrets.collect();
        settings.redactor = Redactor::new(settings.secrets.values());
        let state = grants.keeps_state().is_ok().then(|| {
            let entries = self.state.iter();
            let entries = entries.map(|(key, value)| (key.clone(), value.clone().into_bytes()));
            let kept = Arc::new(Kept(Mutex::new(entries.collect())));
            (PluginState::new(&settings.name, kept.clone()), kept)
        });
        settings.state = state.as_ref().map(|(state, _)| state.clone());
        Around {
            outside: Arc::new(Outside {
                given: self.answers.clone(),
                sent: Mutex::default(),
            }),
            state,
        }
    }
}

impl Around {
    /// The requests that were sent since this was last asked.
    pub fn requests(&self) -> Vec<OutgoingRequest> {
        std::mem::take(&mut lock(&self.outside.sent))
    }

    /// What is kept now, where state is granted.
    pub async fn state(&self) -> Result<BTreeMap<String, String>, String> {
        let Some((state, kept)) = &self.state else {
            return Ok(BTreeMap::new());
        };
        state.save().await?;
        let entries = lock(&kept.0);
        let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
        Ok(entries
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect())
    }
}

impl Answers for Outside {
    fn answer(&self, request: OutgoingRequest) -> Result<HttpResponse, String> {
        let mut sent = lock(&self.sent);
        let fits = |url: &str, method: &str| {
            url == request.url && method.eq_ignore_ascii_case(&request.method)
        };
        let same = |before: &&OutgoingRequest| fits(&before.url, &before.method);
        let before = sent.iter().filter(same).count();
        let mut answers = self
            .given
            .iter()
            .filter(|given| fits(&given.url, &given.method));
        // Of several to the same request, the last one stays.
        let answer = match answers.clone().nth(before) {
            Some(answer) => Ok(answer),
            None => answers.next_back().ok_or_else(|| {
                format!(
                    "the case gives no answer to {} {}",
                    request.method, request.url
                )
            }),
        };
        sent.push(request);
        let answer = answer?;
        if let Some(error) = &answer.error {
            return Err(error.clone());
        }
        let headers = answer.headers.iter();
        Ok(HttpResponse {
            status: answer.status,
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            body: answer.body.clone().into_bytes(),
        })
    }
}

impl StateAccess for Kept {
    fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Entries, String>> {
        ready(Ok(lock(&self.0).clone())).boxed()
    }

    fn save<'a>(&'a self, _: &'a str, entries: &'a Entries) -> BoxFuture<'a, Result<(), String>> {
        *lock(&self.0) = entries.clone();
        ready(Ok(())).boxed()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
