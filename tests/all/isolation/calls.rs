//! The calls of a route that would show or change what is the other merchant's.

use super::estate::Estate;
use crossdock::api::route::{ParamKind, RouteSpec, Verb};
use serde_json::{Value, json};

/// One call.
pub struct Ask {
    pub verb: &'static str,
    pub path: String,
    pub body: Option<Value>,
    /// An id of the other's stands in the path.
    pub in_path: bool,
    /// It must be refused.
    pub refused: bool,
    /// It writes the other's ids into what is one's own: tried after all others.
    pub last: bool,
}

impl Ask {
    pub fn new(verb: &'static str, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            verb,
            path: path.into(),
            body,
            in_path: false,
            refused: false,
            last: false,
        }
    }
    pub fn get(path: String) -> Self {
        Self::new("GET", path, None)
    }
}

/// Which id a path's `{id}` is.
fn id_in(path: &str) -> &'static str {
    let chapter = path.trim_start_matches("/v1/").split('/').next();
    match chapter.unwrap_or_default() {
        "orders" => "ord",
        "fulfillment-orders" => "ful",
        "shipments" => "shp",
        "merchants" => "mer",
        "connections" => "con",
        "events" => "evt",
        "subscriptions" => "sub",
        "deliveries" => "dlv",
        "inbox" => "inb",
        "problems" => "prb",
        "jobs" => "job",
        "tokens" => "tok",
        "connectors" => "",
        other => panic!("whose is the {{id}} of {other}?"),
    }
}

/// The path with the other's ids; whether there is one in it.
fn path_of(route: &RouteSpec, estate: &Estate) -> (String, bool) {
    let (mut path, mut inside) = (String::new(), false);
    let mut rest = route.path;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (name, after) = after.split_once('}').unwrap();
        let value = match name {
            "id" if id_in(route.path).is_empty() => "woocommerce".to_owned(),
            "id" => estate.id(id_in(route.path)),
            "connection_id" => estate.id("con"),
            "rid" => estate.id("req"),
            "tracking_number" => estate.id("tracking"),
            "topic:.+" => "order.updated".to_owned(),
            "file:.*" => "index.html".to_owned(),
            other => panic!("{}: what is {{{other}}}?", route.path),
        };
        inside |= name == "tracking_number"
            || (name == "id" && !id_in(route.path).is_empty())
            || name == "connection_id";
        path.push_str(&value);
        rest = after;
    }
    path.push_str(rest);
    (path, inside)
}

/// A query parameter's value that is the other's; `None` where it can be nobody's.
fn value_of(name: &str, kind: ParamKind, theirs: &Estate) -> Option<String> {
    match (name, kind) {
        ("after", ParamKind::Int(..)) => Some("0".to_owned()),
        (_, ParamKind::Id(prefix)) => Some(theirs.id(prefix)),
        ("external_id" | "shipment_ref" | "sku" | "location" | "q", ParamKind::Text) => {
            Some(theirs.id(name))
        }
        ("tracking_number", ParamKind::Text) => Some(theirs.id("tracking")),
        ("subject", ParamKind::Text) => Some(theirs.id("con")),
        ("connector" | "network" | "country" | "near", ParamKind::Text) => None,
        (name, ParamKind::Text) => panic!("whose is the parameter {name}?"),
        _ => None,
    }
}

/// Bodies of a schema that name what is the other's, and whether they must be refused.
fn bodies(schema: &str, ours: &Estate, theirs: &Estate) -> Vec<(Value, bool)> {
    let ship = |account: String| json!({"shipment_ref": "X-1", "parcels": [{"weight_g": 1}], "carrier_connection_id": account});
    let ahead = |part: String, account: String| {
        let mut body = ship(account);
        body["fulfillment_order_id"] = json!(part);
        body
    };
    let list = |account: String| json!({"carrier_connection_id": account, "shipment_ids": [theirs.id("shp")], "handed_over": true});
    match schema {
        "NewOrder" => vec![(new_order(theirs), true)],
        "NewShipment" => vec![
            (ahead(theirs.id("open_ful"), theirs.id("account")), true),
            (ahead(theirs.id("open_ful"), ours.id("account")), true),
            (ahead(ours.id("open_ful"), theirs.id("account")), true),
        ],
        "NewManifest" => vec![
            (list(theirs.id("account")), true),
            // Named one by one: what cannot be listed is told with the reason.
            (list(ours.id("account")), false),
        ],
        "StockLevels" => {
            let level =
                json!({"sku": theirs.id("sku"), "on_hand": 0, "location": theirs.id("location")});
            vec![(
                json!({"merchant_id": theirs.id("mer"), "levels": [level]}),
                true,
            )]
        }
        "NewSubscription" => vec![(
            json!({"url": "https://evil.example/in", "merchant_id": theirs.id("mer"), "from": "start"}),
            true,
        )],
        "NewReplay" => vec![(
            json!({"subscription_id": theirs.id("sub"), "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}),
            true,
        )],
        "NewConnection" => vec![(
            json!({
                "merchant_id": theirs.id("mer"), "connector": "woocommerce", "name": "x",
                "settings": {"base_url": "https://evil.example"},
                "credentials": {"consumer_key": "ck_1", "consumer_secret": "cs_1", "webhook_secret": "x"},
            }),
            true,
        )],
        "NewToken" => vec![(
            json!({"name": "x", "scope": "merchant", "merchant_id": theirs.id("mer")}),
            true,
        )],
        "NewMerchant" => vec![(json!({"name": "x"}), true)],
        "ConnectionPatch" => vec![
            (json!({"name": "x", "state": "paused"}), true),
            (
                json!({"settings": {"base_url": "https://evil.example"}}),
                true,
            ),
        ],
        "EraseMerchant" => vec![(json!({"name": theirs.id("name")}), true)],
        "MerchantPatch" => vec![(json!({"name": "x"}), true)],
        "OverrideOrder" => vec![(json!({"set": {"note": "x"}, "reason": "x"}), true)],
        "RefuseOrder" => vec![(json!({"reason": "other"}), true)],
        "ResolveConflict" => vec![(json!({"path": "note", "choose": "ours"}), true)],
        "NewSecret" => vec![(json!({"former_hours": 0}), true)],
        "SubscriptionPatch" => vec![(json!({"state": "disabled"}), true)],
        "ShipPart" => vec![
            (ship(theirs.id("account")), true),
            (ship(ours.id("account")), true),
        ],
        "AcceptPart" | "AnswerRequest" => vec![(json!({"revision": 1}), true)],
        "RejectPart" => vec![(json!({"revision": 1, "reason": "other"}), true)],
        "ShortPart" => vec![(
            json!({"revision": 1, "lines": [{"line_id": theirs.id("lin"), "quantity": 1}]}),
            true,
        )],
        "ResolveShipment" => vec![(json!({"outcome": "not_purchased"}), true)],
        // All of these may be empty.
        "VoidShipment" | "ReplaceShipment" | "HoldOrder" | "ReleaseOrder" | "CancelOrder"
        | "AcceptOrder" | "Empty" => vec![(json!({}), true)],
        other => panic!("the body {other} has no case"),
    }
}

fn new_order(theirs: &Estate) -> Value {
    json!({
        "connection_id": theirs.id("con"), "source": "api",
        "order": {
            "external_id": theirs.id("external_id"), "currency": "EUR",
            "payment": {"method": "prepaid", "status": "paid"},
            "lines": [{
                "external_id": "1", "sku": "X", "name": "x", "quantity": 1,
                "unit_price": {"amount": "1.00", "currency": "EUR"},
                "total": {"amount": "1.00", "currency": "EUR"},
            }],
            "charges": [],
        },
    })
}

/// Own things, with something of the other's in the body or query.
fn mixed(route: &RouteSpec, ours: &Estate, theirs: &Estate) -> Vec<Ask> {
    let ask = |path: String, body: Value, refused: bool| {
        let mut ask = Ask::new(route.verb.as_str(), path, Some(body));
        (ask.refused, ask.last) = (refused, !refused);
        ask
    };
    match (route.verb, route.path) {
        (Verb::Post, "/v1/fulfillment-orders/{id}/ship") => vec![ask(
            format!("/v1/fulfillment-orders/{}/ship", ours.id("open_ful")),
            json!({"shipment_ref": "X-2", "parcels": [{"weight_g": 1}], "carrier_connection_id": theirs.id("account")}),
            true,
        )],
        (Verb::Post, "/v1/shipments/{id}/replace") => vec![ask(
            format!("/v1/shipments/{}/replace", ours.id("shp")),
            json!({"carrier_connection_id": theirs.id("account")}),
            true,
        )],
        (Verb::Get, "/v1/shipments/{id}/label") => vec![{
            let path = format!(
                "/v1/shipments/{}/label?parcel_id={}",
                ours.id("shp"),
                theirs.id("par")
            );
            let mut ask = Ask::get(path);
            ask.refused = true;
            ask
        }],
        (Verb::Patch, "/v1/connections/{id}") => vec![ask(
            format!("/v1/connections/{}", ours.id("con")),
            json!({"merchant_id": theirs.id("mer")}),
            true,
        )],
        // A name of a carrier that is none of ours: taken as the channel's own words.
        (Verb::Patch, "/v1/orders/{id}") => vec![ask(
            format!("/v1/orders/{}", ours.id("open_ord")),
            json!({"set": {"delivery.carrier": theirs.id("account")}, "reason": "x"}),
            false,
        )],
        (Verb::Patch, "/v1/merchants/{id}") => vec![ask(
            format!("/v1/merchants/{}", ours.id("mer")),
            json!({"settings": {"carrier_rules": [{"name": "x", "connection_id": theirs.id("account")}]}}),
            false,
        )],
        _ => Vec::new(),
    }
}

/// All calls of a route.
pub fn asks(route: &RouteSpec, ours: &Estate, theirs: &Estate) -> Vec<Ask> {
    if route.path == "/metrics" {
        // The operator's own page: it names subscriptions and connectors, and stays inside.
        return vec![Ask::get("/healthz".into())];
    }
    let (path, in_path) = path_of(route, theirs);
    let mut all = Vec::new();
    let mut add = |path: String, body: Option<Value>, refused: bool| {
        let mut ask = Ask::new(route.verb.as_str(), path, body);
        (ask.in_path, ask.refused) = (in_path, refused);
        all.push(ask);
    };
    match route.body {
        Some(schema) => {
            for (body, refused) in bodies(schema, ours, theirs) {
                add(path.clone(), Some(body), refused);
            }
        }
        None => add(first_of(route, &path), None, false),
    }
    if route.body.is_none() {
        for param in route.query {
            if let Some(value) = value_of(param.name, param.kind, theirs) {
                add(format!("{path}?{}={value}", param.name), None, false);
            }
        }
    }
    all.extend(mixed(route, ours, theirs));
    all
}

/// A stream begins at its end when it is not told where.
fn first_of(route: &RouteSpec, path: &str) -> String {
    match route.path {
        "/v1/events/stream" => format!("{path}?after=0"),
        _ => path.to_owned(),
    }
}
