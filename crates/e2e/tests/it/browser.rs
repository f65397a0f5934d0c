//! A real browser without a window, driven over the protocol of Chrome's developer tools.
//!
//! It does what a person can do: goes to a page, clicks, types, looks. It never reaches into the page's own code.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use broker::testing::{tied, until};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// Names the browser to use; `cargo xtask test` sets it.
const VARIABLE: &str = "BROWSER_BINARY";
const PROGRAMS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
];

/// What a page is looked at with.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub phone: bool,
}

impl Look {
    pub const DESK: Self = Self {
        width: 1280,
        height: 900,
        dark: false,
        phone: false,
    };
    pub const PHONE: Self = Self {
        width: 375,
        height: 812,
        dark: false,
        phone: true,
    };

    pub const fn dark(self) -> Self {
        Self { dark: true, ..self }
    }
}

/// A browser with one page. It is killed when this value is dropped.
pub struct Browser {
    child: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    next: u64,
    /// What the page's console would show in red.
    complaints: Vec<String>,
    /// Its settings, its cache and its log.
    _profile: TempDir,
}

impl Browser {
    /// Starts one, with an empty page.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder can be made");
        let log = File::create(profile.path().join("log")).expect("the log can be made");
        let program = program();
        let child = tied(program.to_str().expect("the path is text"))
            .args(["--headless", "--remote-debugging-port=0", "--disable-gpu"])
            .args(["--no-first-run", "--disable-extensions", "--mute-audio"])
            // It opens the project's own page and nothing else, and its sandbox can't be had everywhere.
            .args(["--no-sandbox", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let said = profile.path().join("DevToolsActivePort");
        let address = until("the browser says where it listens", async || {
            let text = std::fs::read_to_string(&said).ok()?;
            let (port, path) = text.trim().split_once('\n')?;
            Some(format!("ws://127.0.0.1:{port}{path}"))
        })
        .await;
        // A screenshot is one message.
        let unlimited = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let (socket, _) = connect_async_with_config(address, Some(unlimited), false)
            .await
            .expect("the browser takes a connection");
        let mut browser = Self {
            child,
            socket,
            session: String::new(),
            next: 1,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = json!({"url": "about:blank"});
        let target = browser.command("Target.createTarget", target).await;
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.command("Target.attachToTarget", target).await;
        attached["sessionId"]
            .as_str()
            .expect("an id")
            .clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Accessibility"] {
            browser
                .command(&format!("{domain}.enable"), json!({}))
                .await;
        }
        browser
    }

    /// Goes to an address.
    pub async fn open(&mut self, url: &str, look: Look) {
        let scale = if look.phone { 2 } else { 1 };
        let screen = json!({"width": look.width, "height": look.height, "deviceScaleFactor": scale, "mobile": look.phone});
        self.command("Emulation.setDeviceMetricsOverride", screen)
            .await;
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", media).await;
        let went = self.command("Page.navigate", json!({"url": url})).await;
        assert_eq!(went.get("errorText"), None, "{url}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")
            .await;
    }

    /// What an expression is in the page.
    pub async fn ask(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.command("Runtime.evaluate", asked).await;
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is neither null nor false.
    pub async fn until(&mut self, expression: &str) -> Value {
        until(expression, async || {
            let value = self.ask(expression).await;
            (!matches!(value, Value::Null | Value::Bool(false))).then_some(value)
        })
        .await
    }

    /// The text of an element.
    pub async fn text(&mut self, selector: &str) -> String {
        let text = format!("document.querySelector({selector:?}).textContent.trim()");
        self.ask(&text).await.as_str().expect("a text").to_owned()
    }

    /// Clicks on the middle of an element, once that can be clicked on and nothing lies over it.
    pub async fn click(&mut self, selector: &str) {
        let place = self
            .until(&format!(
                "(() => {{ const e = document.querySelector({selector:?}); if (!e || e.disabled) return null; \
                 e.scrollIntoView({{ block: 'center' }}); const r = e.getBoundingClientRect(); \
                 const [x, y] = [r.x + r.width / 2, r.y + r.height / 2]; \
                 return e.contains(document.elementFromPoint(x, y)) ? [x, y] : null; }})()"
            ))
            .await;
        for event in ["mousePressed", "mouseReleased"] {
            let mouse = json!({"type": event, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.command("Input.dispatchMouseEvent", mouse).await;
        }
    }

    /// Types into what has the focus.
    pub async fn write(&mut self, text: &str) {
        self.command("Input.insertText", json!({"text": text}))
            .await;
    }

    /// Presses a key: Enter, Tab, Escape, or what makes a single character.
    pub async fn press(&mut self, key: &str) {
        let (code, text) = match (key, key.as_bytes()) {
            ("Enter", _) => (13, "\r"),
            ("Tab", _) => (9, ""),
            ("Escape", _) => (27, ""),
            (_, [letter]) => (u32::from(letter.to_ascii_uppercase()), key),
            (other, _) => panic!("{other} is no key that this knows"),
        };
        for event in ["keyDown", "keyUp"] {
            let text = if event == "keyDown" { text } else { "" };
            let key = json!({"type": event, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.command("Input.dispatchKeyEvent", key).await;
        }
    }

    /// Keeps what the page looks like, the whole of it, in `target/screenshots`.
    pub async fn screenshot(&mut self, name: &str) {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let taken = self.command("Page.captureScreenshot", whole).await;
        let png = STANDARD.decode(taken["data"].as_str().expect("a text"));
        let folder = screenshots();
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let path = folder.join(format!("{name}.png"));
        std::fs::write(path, png.expect("base 64")).expect("the file can be written");
    }

    /// What can be operated in the page but has no name: as roles.
    pub async fn nameless(&mut self) -> Vec<String> {
        let tree = self.command("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().expect("a list");
        let operated = nodes.iter().filter(|node| {
            let properties = node["properties"].as_array();
            let focusable = |property: &Value| property["name"] == "focusable";
            node["ignored"] == false
                && node["role"]["value"] != "RootWebArea"
                && properties.is_some_and(|all| all.iter().any(focusable))
        });
        operated
            .filter(|node| node["name"]["value"].as_str().unwrap_or("").is_empty())
            .map(|node| node["role"]["value"].to_string())
            .collect()
    }

    /// Exceptions, refused loads and violations of the page's policy so far.
    pub async fn complaints(&mut self) -> Vec<String> {
        // What is under way comes before the answer.
        self.ask("0").await;
        self.complaints.clone()
    }

    async fn command(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        let sent = self.socket.send(Message::text(command.to_string())).await;
        sent.expect("the browser is there");
        loop {
            let message = self.socket.next().await.expect("the browser is there");
            let message = message.expect("the browser speaks WebSocket");
            let Message::Text(text) = message else {
                continue;
            };
            let mut message: Value = serde_json::from_str(&text).expect("it speaks JSON");
            if message["id"] == id {
                assert_eq!(message.get("error"), None, "{method}");
                return message["result"].take();
            }
            self.hear(&message);
        }
    }

    fn hear(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => {
                let details = &params["exceptionDetails"];
                let exception = &details["exception"]["description"];
                self.complaints
                    .push(format!("{} {exception}", details["text"]));
            }
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                let entry = &params["entry"];
                self.complaints
                    .push(format!("{} {}", entry["text"], entry["url"]));
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let candidates = PROGRAMS
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "no Chromium on PATH: `cargo xtask test` installs it, and {VARIABLE} names another"
            )
        })
}

/// Beside the binaries' folder.
fn screenshots() -> PathBuf {
    let own = std::env::current_exe().expect("this binary has a path");
    let target = own.ancestors().nth(3).expect("target/debug/deps/…");
    target.join("screenshots")
}
