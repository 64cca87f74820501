//! The least proxy that pingora makes: `pingora-bench LISTEN TARGET`, both as `127.0.0.1:8080`.

use async_trait::async_trait;
use pingora_core::prelude::*;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

struct Proxy {
    target: String,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(&self.target, false, String::new())))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut pingora_http::RequestHeader,
        (): &mut (),
    ) -> Result<()> {
        if let Some(client) = session.client_addr().and_then(|client| client.as_inet()) {
            request.insert_header("x-forwarded-for", client.ip().to_string())?;
        }
        Ok(())
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let (Some(listen), Some(target)) = (words.next(), words.next()) else {
        eprintln!("usage: pingora-bench LISTEN TARGET");
        std::process::exit(2);
    };
    let conf = ServerConf {
        // As many as the machine of BENCHMARKS.md has processors.
        threads: 2,
        upstream_keepalive_pool_size: 256,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Proxy { target });
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever();
}
