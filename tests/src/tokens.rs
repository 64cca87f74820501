//! A registry that wants tokens, and the server that gives them, as large registries have it.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::faulty::Head;

/// How often a token is good before the registry wants another.
const USES: u32 = 3;

/// What the token server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// Identity tokens, by the way of OAuth 2.0.
    OAuth,
    /// Names and passwords alone.
    Passwords,
}

/// A listener before a registry: what goes on, by whoever shows a token for it.
pub struct Tokens {
    /// Where it listens.
    pub host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

struct Server {
    host: String,
    registry: String,
    ways: Ways,
    /// The identity token that is good.
    identity: String,
    /// What each token is for, and how often it is good yet.
    given: Mutex<HashMap<String, (String, u32)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tokens {
    /// Listens before `registry`; `identity` is good for tokens.
    pub fn before(registry: &str, identity: &str, ways: Ways) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("bound").to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let server = Arc::new(Server {
            host: host.clone(),
            registry: registry.to_owned(),
            ways,
            identity: identity.to_owned(),
            given: Mutex::default(),
            asked: asked.clone(),
        });
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || {
                    let _ = server.serve(client);
                });
            }
        });
        Self { host, asked }
    }

    /// How tokens were asked for so far: the method, and what was sent.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Server {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some(head) = Head::read(&mut client)? else {
            return Ok(());
        };
        let line = head.line();
        let mut words = line.split(' ');
        let (method, path) = (
            words.next().unwrap_or_default().to_owned(),
            words.next().unwrap_or_default().to_owned(),
        );
        let authorization = head.header("authorization:").unwrap_or_default();
        let answer = match path.strip_prefix("/token") {
            Some(query) => {
                let body = head.body(&client)?;
                let body = String::from_utf8_lossy(&body).into_owned();
                let asked = format!("{method} {query}{body} {authorization}");
                self.asked.lock().expect("no panic").push(asked);
                self.give(&method, query, &body, &authorization)
            }
            None => {
                let scope = scope(&method, &path);
                match self.is_good(&authorization, &scope) {
                    true => {
                        let without = ["connection:", "authorization:"];
                        head.pass_on(&client, &self.registry, &without)?
                    }
                    false => {
                        let _ = head.body(&client)?;
                        let host = &self.host;
                        let wanted = format!(
                            "WWW-Authenticate: Bearer realm=\"http://{host}/token\",\
                             service=\"tests\",scope=\"{scope}\"\r\n"
                        );
                        answer("401 Unauthorized", &wanted, "{}")
                    }
                }
            }
        };
        client.write_all(&answer)?;
        client.shutdown(Shutdown::Both)
    }

    fn is_good(&self, authorization: &str, scope: &str) -> bool {
        let mut given = self.given.lock().expect("no panic");
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        match given.get_mut(token) {
            Some((good, uses)) if covers(good, scope) && *uses > 0 => {
                *uses -= 1;
                true
            }
            _ => false,
        }
    }

    fn give(&self, method: &str, query: &str, body: &str, authorization: &str) -> Vec<u8> {
        let field = |text: &str, name: &str| {
            let mut pairs = text.trim_start_matches('?').split('&');
            let found = pairs.find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            let found = found.unwrap_or_default();
            found
                .replace("%3A", ":")
                .replace("%2F", "/")
                .replace("%2C", ",")
        };
        let (known, scope) = match (method, self.ways) {
            ("POST", Ways::OAuth) => {
                let good = field(body, "grant_type") == "refresh_token"
                    && field(body, "refresh_token") == self.identity
                    && field(body, "service") == "tests";
                (good, field(body, "scope"))
            }
            ("GET", Ways::Passwords) => {
                let good = authorization.starts_with("Basic ");
                (good, field(query, "scope"))
            }
            _ => return answer("405 Method Not Allowed", "", "no such way"),
        };
        if !known {
            return answer("401 Unauthorized", "", "{\"details\": \"unknown\"}");
        }
        let mut given = self.given.lock().expect("no panic");
        let token = format!("token-{}", given.len());
        given.insert(token.clone(), (scope, USES));
        let key = if method == "POST" {
            "access_token"
        } else {
            "token"
        };
        answer(
            "200 OK",
            "",
            &format!("{{\"{key}\": \"{token}\", \"expires_in\": 300}}"),
        )
    }
}

/// Who may write may read.
fn covers(good: &str, scope: &str) -> bool {
    good == scope || good.strip_suffix(",push") == Some(scope)
}

/// What a request needs a token for.
fn scope(method: &str, path: &str) -> String {
    let rest = path.strip_prefix("/v2/").unwrap_or_default();
    let end = ["/manifests/", "/blobs/", "/tags/"].map(|part| rest.find(part));
    let end = end.into_iter().flatten().min().unwrap_or(rest.len());
    let write = !matches!(method, "GET" | "HEAD");
    let what = if write { "pull,push" } else { "pull" };
    format!("repository:{}:{what}", &rest[..end])
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}
