//! Schemas of bodies, derived from the types that read them.

use super::wire::words;
use crate::api::connection_change::ConnectionPatch;
use crate::api::connections::{NewConnection, WantedState};
use crate::api::create::{NewOrder, Origin};
use crate::api::deliveries::{Empty, NewReplay};
use crate::api::fulfillment::{AcceptPart, AnswerRequest, RejectPart, ShipPart, ShortPart};
use crate::api::merchants::{EraseMerchant, MerchantPatch, NewMerchant};
use crate::api::orders::{
    AcceptOrder, CancelOrder, HoldOrder, OverrideOrder, RefuseLine, RefuseOrder, ReleaseOrder,
    ResolveConflict,
};
use crate::api::shipments::{
    NewManifest, NewShipment, ReplaceShipment, ResolveShipment, VoidShipment,
};
use crate::api::stock::{NewStockLevel, StockLevels};
use crate::api::subscriptions::{NewSecret, NewSubscription, PatchState, SubscriptionPatch};
use crate::api::targets::BrokerCredentials;
use crate::api::tokens::NewToken;
use crate::api::words::LABEL_FORMAT;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// All of them, by name.
pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    add::<NewMerchant>(&mut all);
    add::<MerchantPatch>(&mut all);
    add::<EraseMerchant>(&mut all);
    add::<NewConnection>(&mut all);
    add::<ConnectionPatch>(&mut all);
    add::<WantedState>(&mut all);
    add::<NewOrder>(&mut all);
    add::<Origin>(&mut all);
    add::<HoldOrder>(&mut all);
    add::<ReleaseOrder>(&mut all);
    add::<CancelOrder>(&mut all);
    add::<OverrideOrder>(&mut all);
    add::<AcceptOrder>(&mut all);
    add::<RefuseOrder>(&mut all);
    add::<RefuseLine>(&mut all);
    add::<ResolveConflict>(&mut all);
    add::<AcceptPart>(&mut all);
    add::<ShortPart>(&mut all);
    add::<RejectPart>(&mut all);
    add::<AnswerRequest>(&mut all);
    add::<ShipPart>(&mut all);
    add::<NewShipment>(&mut all);
    add::<VoidShipment>(&mut all);
    add::<ReplaceShipment>(&mut all);
    add::<ResolveShipment>(&mut all);
    add::<NewManifest>(&mut all);
    add::<NewSubscription>(&mut all);
    add::<BrokerCredentials>(&mut all);
    add::<SubscriptionPatch>(&mut all);
    add::<NewSecret>(&mut all);
    add::<PatchState>(&mut all);
    add::<NewReplay>(&mut all);
    add::<StockLevels>(&mut all);
    add::<NewStockLevel>(&mut all);
    add::<NewToken>(&mut all);
    add::<Empty>(&mut all);
    all.insert("LineQuantity".into(), line_quantity());
    all.insert("NewParcel".into(), new_parcel());
    all.insert("LabelFormat".into(), words(LABEL_FORMAT));
    all.insert(
        "LabelOutcome".into(),
        words(&["purchased", "not_purchased"]),
    );
    all.insert("Contract".into(), contract());
    all
}

fn add<T: ToSchema + PartialSchema>(all: &mut Map<String, Value>) {
    if let Ok(schema) = serde_json::to_value(T::schema()) {
        all.insert(T::name().into_owned(), schema);
    }
}

/// Types of the model that bodies hold; their schemas are written by hand.
macro_rules! named {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::Ref(Ref::from_schema_name(stringify!($name)))
            }
        }
        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}
named! {
    /// A line and how much of it.
    LineQuantity,
    /// A parcel as the warehouse packed it.
    NewParcel,
    /// What a channel says of an order.
    OrderFacts,
    /// What labels are printed on.
    LabelFormat,
    /// What became of a label request.
    LabelOutcome,
    /// What was agreed with a carrier for one merchant.
    Contract,
}

fn contract() -> Value {
    let text = json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "sender": {"$ref": "#/components/schemas/Address"},
            "return_to": {"anyOf": [{"$ref": "#/components/schemas/Address"}, {"type": "null"}]},
            "cod_payee": {"type": "string", "enum": ["operator", "merchant"]},
            "cod_account": text, "customer_number": text,
            "services": {"type": "array", "items": {"type": "string"}},
        },
    })
}

fn line_quantity() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["line_id", "quantity"],
        "properties": {
            "line_id": {"type": "string", "description": "The order's line."},
            "quantity": {"type": "number", "exclusiveMinimum": 0},
        },
    })
}

fn new_parcel() -> Value {
    let size = json!({"type": ["integer", "null"], "minimum": 0});
    let text = json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "weight_g": size, "length_mm": size, "width_mm": size, "height_mm": size,
            "sscc": text, "tracking_number": text, "tracking_url": text, "carrier": text,
        },
    })
}
