//! The SDKs that others wrote, from their registries, against real servers: what they show their application is right,
//! whatever happens on the way.

mod basics;
mod faults;
mod followed;
pub(crate) mod runtime;
pub(crate) mod script;
mod storm;
mod tokens;

use e2e::{Settings, System};
use tempfile::NamedTempFile;

/// The namespaces of rooms that the scripts know.
const ROOMS: &str = r#"{"namespaces": [
    {"name": "room", "history_size": 100, "history_ttl_secs": 60, "presence": true, "join_leave": true,
     "force_push_join_leave": true, "force_recovery": true,
     "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true,
     "allow_publish_for_subscriber": true, "allow_publish_for_anonymous": true,
     "allow_presence_for_subscriber": true, "allow_presence_for_anonymous": true,
     "allow_history_for_subscriber": true, "allow_history_for_anonymous": true},
    {"name": "plain", "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true},
    {"name": "closed"}
]}"#;

/// A running system, and the file that its servers read.
struct Rig {
    system: System,
    _rooms: NamedTempFile,
}

impl Rig {
    fn url(&self) -> String {
        url(self.system.servers[0].port())
    }
}

/// A system whose worker knows the kind `stream`, and whose servers have these rooms.
async fn rig(servers: usize, more: &[&str]) -> Rig {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ROOMS).unwrap();
    let mut server = vec![format!("--namespaces-file={}", file.path().display())];
    server.extend(more.iter().map(|setting| (*setting).to_owned()));
    let settings = Settings {
        servers,
        server,
        worker: vec!["--lease-ms=1000".to_owned()],
        worker_binary: "test-worker",
        ..Settings::default()
    };
    Rig {
        system: System::start(settings).await,
        _rooms: file,
    }
}

/// Where a server speaks to SDKs.
fn url(port: u16) -> String {
    format!("ws://127.0.0.1:{port}/connection/websocket")
}
