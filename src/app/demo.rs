//! The demo of `serve --demo`: a simulated provider for every connector that has a simulator, and a
//! simulated warehouse, over loopback with the real protocols and signatures.
//!
//! What always holds: the demo uses the gateway's own API with its admin token, nothing else; a
//! second start finds what the first one made; nothing of it runs without `--demo`.

use super::{AppError, secrets};
use crate::canonical::connection::ConnectionKind;
use crate::connector::Registry;
use crate::manifest::folder::Folder;
use crate::operation::client::own_client;
use crate::settings::Settings;
use crate::simulator::{self, warehouse};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

const MERCHANT: &str = "Demo merchant";
/// The 3PL itself: carriers are its, and so are the rules that choose among them.
const OPERATOR: &str = "mer_00000000000000000000000000000001";
/// The operation that tells a provider where its webhooks go; where there is none, people do.
const REGISTER: &str = "webhook.register";
const ORDERS_PER_MINUTE: u32 = 30;

/// What the demo needs to be set: private targets (loopback) and a token that it can show again.
///
/// # Errors
/// When the data directory cannot be written.
pub fn prepare(settings: &mut Settings) -> Result<(), AppError> {
    secrets::make_data_dir(&settings.data_dir)?;
    settings.allow_private_targets = true;
    if settings.admin_token.is_none() {
        settings.admin_token = Some(secrets::demo_token(settings)?);
    }
    Ok(())
}

/// The running demo.
pub struct Demo {
    providers: Vec<(String, simulator::Handle)>,
    warehouse: warehouse::Handle,
    base: String,
}

impl Demo {
    /// What to tell the person who typed `make run`.
    pub fn announcement(&self) -> String {
        let mut text =
            String::from("  demo     simulated providers and a warehouse are running; look at\n");
        for path in [
            "/v1/orders",
            "/v1/fulfillment-orders",
            "/v1/events?after=0",
            "/v1/shipments",
            "/v1/cod/statement",
            "/v1/pickup-points",
            "/v1/ledger",
        ] {
            text.push_str(&format!("             {}{path}\n", self.base));
        }
        for (name, handle) in &self.providers {
            text.push_str(&format!(
                "           {name} simulated on {}\n",
                handle.url()
            ));
        }
        text.push_str(&format!(
            "           warehouse simulated on http://{}\n",
            self.warehouse.addr
        ));
        text
    }

    /// Ends the simulators.
    pub async fn stop(self) {
        for (_, handle) in self.providers {
            handle.stop().await;
        }
        self.warehouse.stop().await;
    }
}

/// Starts simulators and plugs them into the gateway on `addr`.
///
/// # Errors
/// When a simulator does not start or the gateway refuses what the demo asks of it.
pub async fn start(settings: &Settings, addr: SocketAddr) -> Result<Demo, AppError> {
    let token = settings
        .admin_token
        .clone()
        .ok_or_else(|| AppError::Start("no admin token".into()))?;
    let api = Api::new(addr, token.clone())?;
    let merchant_id = api.merchant().await?;
    let warehouse = start_warehouse(&api, addr, &token).await?;
    let registry = Registry::load(settings.connectors_dir.clone());
    let (mut providers, mut rules) = (Vec::new(), Vec::new());
    for connector in registry.catalogue().all() {
        let Some(source) = registry.source(connector.id()) else {
            continue;
        };
        if source.files("simulator").is_empty() {
            continue;
        }
        let folder = Folder::load(source).map_err(|_| {
            AppError::Start(format!("the folder of {} cannot be read", connector.id()))
        })?;
        let failed =
            |error: simulator::SimError| AppError::Start(format!("{}: {error}", connector.id()));
        let demo = simulator::demo(&folder).map_err(failed)?;
        let options = simulator::Options {
            seed: seed(),
            orders_per_minute: ORDERS_PER_MINUTE,
            options: demo.options.clone(),
            ..Default::default()
        };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let handle = simulator::serve(&folder, listen, options)
            .await
            .map_err(failed)?;
        let carrier = connector.manifest().kind == ConnectionKind::Carrier;
        let owner = if carrier { OPERATOR } else { &merchant_id };
        let manifest = connector.manifest();
        let mut demo = demo;
        if manifest.operations.contains_key("stock.push") {
            let listed = json!("listed");
            demo.settings.insert("push_stock".to_owned(), listed);
        }
        let id = api.plug(owner, connector.id(), &handle, &demo).await?;
        let by_hand = !manifest.operations.contains_key(REGISTER);
        if manifest.webhooks.is_some() && by_hand {
            api.panel(&handle, &id).await?;
        }
        for mut rule in demo.rules.clone() {
            rule.insert("connection_id".to_owned(), id.clone().into());
            rules.push(Value::Object(rule));
        }
        providers.push((connector.manifest().name.clone(), handle));
    }
    if !rules.is_empty() {
        let body = json!({"settings": {"carrier_rules": rules}});
        api.call("PATCH", &format!("/v1/merchants/{OPERATOR}"), Some(body))
            .await?;
    }
    Ok(Demo {
        providers,
        warehouse,
        base: format!("http://{addr}"),
    })
}

/// Each start makes other orders: the simulated shops forget theirs when they stop, and numbers
/// used twice would look like old revisions of the first ones.
fn seed() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(1)
}

async fn start_warehouse(
    api: &Api,
    addr: SocketAddr,
    token: &SecretString,
) -> Result<warehouse::Handle, AppError> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = warehouse::Options {
        gateway: format!("http://{addr}"),
        token: token.clone(),
        tells_stock: true,
        ..warehouse::Options::default()
    };
    let handle = warehouse::serve(listen, options)
        .await
        .map_err(|error| AppError::Start(error.to_string()))?;
    let secret = api
        .subscribe(&format!("http://{}/events", handle.addr))
        .await?;
    handle.trust(&secret);
    Ok(handle)
}

/// The gateway's own API.
struct Api {
    base: String,
    token: SecretString,
    http: reqwest::Client,
}

impl Api {
    fn new(addr: SocketAddr, token: SecretString) -> Result<Self, AppError> {
        let http = own_client(Duration::from_secs(30))
            .map_err(|error| AppError::Start(error.to_string()))?;
        Ok(Self {
            base: format!("http://{addr}"),
            token,
            http,
        })
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, AppError> {
        let failed = |what: String| AppError::Start(format!("{method} {path}: {what}"));
        let method_name = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|error| failed(error.to_string()))?;
        let mut request = self
            .http
            .request(method_name, format!("{}{path}", self.base))
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request
            .send()
            .await
            .map_err(|error| failed(error.to_string()))?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if !status.is_success() {
            return Err(failed(format!("{status} {text}")));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn all(&self, path: &str) -> Result<Vec<Value>, AppError> {
        let answer = self.call("GET", path, None).await?;
        Ok(answer
            .get("data")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default())
    }

    async fn merchant(&self) -> Result<String, AppError> {
        let all = self.all("/v1/merchants?limit=500").await?;
        if let Some(id) = all
            .iter()
            .find(|m| text(m, "name") == MERCHANT)
            .map(|m| text(m, "id"))
        {
            return Ok(id.to_owned());
        }
        let made = self
            .call("POST", "/v1/merchants", Some(json!({"name": MERCHANT})))
            .await?;
        Ok(text(&made, "id").to_owned())
    }

    /// A subscription of this start: those of earlier starts point to a port that is gone.
    async fn subscribe(&self, url: &str) -> Result<String, AppError> {
        for old in self.all("/v1/subscriptions").await? {
            if text(&old, "url").starts_with("http://127.0.0.1:")
                && text(&old, "url").ends_with("/events")
            {
                self.call(
                    "DELETE",
                    &format!("/v1/subscriptions/{}", text(&old, "id")),
                    None,
                )
                .await?;
            }
        }
        let body = json!({"url": url, "event_types": [
            "fulfillment_order.submitted", "fulfillment_order.change_requested", "fulfillment_order.cancelled",
        ]});
        let made = self.call("POST", "/v1/subscriptions", Some(body)).await?;
        Ok(text(&made, "secret").to_owned())
    }

    /// Types the hook's address into a simulated provider's panel.
    async fn panel(&self, handle: &simulator::Handle, connection: &str) -> Result<(), AppError> {
        let failed = |what: String| AppError::Start(format!("PUT /_sim/hook: {what}"));
        let body = json!({"url": format!("{}/hooks/{connection}", self.base)});
        let url = format!("{}/_sim/hook", handle.url());
        let request = self
            .http
            .put(url)
            .header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(failed(answer.status().to_string())),
        }
    }

    /// Plugs a simulated provider in; its connection's id.
    async fn plug(
        &self,
        merchant_id: &str,
        connector: &str,
        handle: &simulator::Handle,
        demo: &simulator::routes::Demo,
    ) -> Result<String, AppError> {
        let mut settings = handle.settings.clone();
        settings.extend(demo.settings.clone());
        let name = format!("Demo {connector}");
        let known = self.all("/v1/connections").await?;
        let known = known
            .iter()
            .find(|c| text(c, "name") == name)
            .map(|c| text(c, "id").to_owned());
        if let Some(id) = known {
            let body = json!({"settings": settings, "credentials": handle.credentials});
            self.call("PATCH", &format!("/v1/connections/{id}"), Some(body))
                .await?;
            return Ok(id);
        }
        let mut body = json!({
            "merchant_id": merchant_id, "connector": connector, "name": name, "state": "active",
            "settings": settings, "credentials": handle.credentials,
        });
        if let (Some(contract), Value::Object(body)) = (&demo.contract, &mut body) {
            body.insert("contracts".to_owned(), json!({"default": contract}));
        }
        let made = self.call("POST", "/v1/connections", Some(body)).await?;
        Ok(text(&made, "id").to_owned())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
