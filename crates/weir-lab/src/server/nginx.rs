//! nginx from the distribution, with a configuration of its own and all of its files in the run's directory.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::Program;
use crate::netns::Netns;
use crate::plan::HTTP_PORT;

/// Bytes of the page that customers fetch.
pub const PAGE: usize = 4096;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running nginx.
pub struct Nginx(#[expect(dead_code, reason = "held for its Drop")] Program);

impl Nginx {
    /// Starts it in a pod and waits until it takes connections.
    pub fn start(ns: &Netns, dir: &Path) -> Result<Nginx> {
        fs::create_dir_all(dir.join("www")).with_context(|| dir.display().to_string())?;
        fs::write(dir.join("www/index.html"), "w".repeat(PAGE))?;
        let config = dir.join("nginx.conf");
        fs::write(&config, configuration(dir))?;
        let (config, errors) = (config.display().to_string(), dir.join("nginx-errors.log").display().to_string());
        let arguments = ["-c", &config, "-e", &errors, "-p", &dir.display().to_string()];
        let mut program = Program::start(ns, Path::new("nginx"), &arguments, &dir.join("nginx.log"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP_PORT));
        let answers = || ns.within(|| Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1))?)).is_ok();
        program.wait_until(PATIENCE, answers)?;
        Ok(Nginx(program))
    }
}

/// One process: there is no master that could die without its worker. Everything is written below `dir`.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
master_process off;
pid {dir}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type text/html;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen {HTTP_PORT} backlog=511;
        listen [::]:{HTTP_PORT} backlog=511;
        root {dir}/www;
    }}
}}
"
    )
}
