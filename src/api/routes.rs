//! The one table of routes: the application, the permissions and the OpenAPI document are made
//! from it. Order matters: earlier paths are matched first, so the hot ones lead.

use super::problem::Code;
use super::route::Access::{Admin, Any, Merchant, Public, Staff, Warehouse};
use super::route::Shape::{Empty, List, One, Raw};
use super::route::{Param, ParamKind, RouteSpec, delete, get, patch, post, put};
use super::words::{
    CLASS, COD_STATUS, CONNECTION_STATE, DELIVERY_STATE, DISPOSITION, JOB_STATE, ORDER_STATUS,
    PART_STATUS, POINT_KIND, SHIPMENT_STATUS,
};
use super::{
    cash, connections, connectors, deliveries, events, fulfillment, health, hooks, inbox,
    merchants, orders, points, problems, shipments, stock, subscriptions, tokens, tracking,
};
use actix_web::web;

const fn param(name: &'static str, kind: ParamKind, about: &'static str) -> Param {
    Param { name, kind, about }
}

const MERCHANT: Param = param("merchant_id", ParamKind::Id("mer"), "Only this merchant's.");
const CONNECTION: Param = param(
    "connection_id",
    ParamKind::Id("con"),
    "Only this connection's.",
);
const ORDER: Param = param("order_id", ParamKind::Id("ord"), "Only this order's.");
const EXTERNAL: Param = param("external_id", ParamKind::Text, "The channel's id.");
const SUBSCRIPTION: Param = param(
    "subscription_id",
    ParamKind::Id("sub"),
    "Only this subscription's.",
);
const TYPES: Param = param(
    "types",
    ParamKind::EventTypes,
    "Only these types; all when left out.",
);
const AFTER: Param = param(
    "after",
    ParamKind::Int(0, u64::MAX),
    "The `next` of the page before; 0 is the beginning.",
);

const WAIT: Param = param(
    "wait",
    ParamKind::Int(0, 30),
    "Seconds to wait for the label.",
);

const COMMAND: &[Code] = &[Code::NotFound, Code::Conflict, Code::InvalidState];
const ANSWER: &[Code] = &[
    Code::NotFound,
    Code::Conflict,
    Code::InvalidState,
    Code::StaleRevision,
];
const FOUND: &[Code] = &[Code::NotFound];

/// Every route.
pub const ROUTES: &[RouteSpec] = &[
    post("/hooks/{connection_id}", Public, || web::post().to(hooks::hook))
        .bare()
        .doc("A provider's webhook")
        .about("The raw body is durable before the answer is sent. Verified as the connector says; the answer is the one that the provider expects. At most 5 MiB.")
        .gives(&[(200, Raw("text/plain"))])
        .codes(&[Code::Unauthorized, Code::Forbidden, Code::NotFound, Code::Gone, Code::BodyTooLarge, Code::RequestTimeout, Code::StoreUnavailable]),
    post("/hooks/{connection_id}/{topic:.+}", Public, || web::post().to(hooks::hook))
        .bare()
        .doc("A provider's webhook with its topic in the address")
        .gives(&[(200, Raw("text/plain"))])
        .codes(&[Code::Unauthorized, Code::Forbidden, Code::NotFound, Code::Gone, Code::BodyTooLarge, Code::RequestTimeout, Code::StoreUnavailable]),
    get("/healthz", Public, || web::get().to(health::live)).bare().doc("The process answers").gives(&[(200, Raw("text/plain"))]),
    get("/v1/events", Any, || web::get().to(events::list))
        .doc("The feed of events")
        .about("In order of sequence. `next` is always the cursor to go on from, also when there is nothing new.")
        .query(&[
            AFTER,
            param("limit", ParamKind::Int(1, 500), "Entries of a page; 50 when left out."),
            TYPES,
            param("wait", ParamKind::Int(0, events::MAX_WAIT_SECONDS), "Seconds to wait for the first event when there is none."),
        ])
        .gives(&[(200, List("Event"))]),
    get("/v1/events/stream", Any, || web::get().to(events::stream))
        .doc("The feed as server-sent events")
        .about("Begins at the log's end, at `after`, or where `Last-Event-ID` left off. Ends after 15 minutes: come back with `Last-Event-ID`.")
        .query(&[AFTER, TYPES])
        .gives(&[(200, Raw("text/event-stream"))]),
    get("/v1/events/{id}", Any, || web::get().to(events::get)).doc("An event").gives(&[(200, One("Event"))]).codes(FOUND),
    get("/v1/fulfillment-orders", Any, || web::get().to(fulfillment::list))
        .doc("The warehouse's work list")
        .about("Events are the bell, this list is the truth.")
        .query(&[
            param("awaiting", ParamKind::SomeOf(&["accept", "ship", "answer"]), "What the warehouse is to do next."),
            param("status", ParamKind::OneOf(PART_STATUS), "Only in this state."),
            param("location", ParamKind::Text, "Only this depot's."),
            param("updated_after", ParamKind::Time, "Only those changed after this moment."),
            param("sort", ParamKind::OneOf(&["cut_off_at", "created_at"]), "`cut_off_at`: earliest first, none last."),
            MERCHANT, ORDER,
        ])
        .paged()
        .gives(&[(200, List("FulfillmentOrder"))]),
    get("/v1/fulfillment-orders/{id}", Any, || web::get().to(fulfillment::get)).doc("A fulfillment order").gives(&[(200, One("FulfillmentOrder"))]).codes(FOUND),
    post("/v1/fulfillment-orders/{id}/accept", Warehouse, || web::post().to(fulfillment::accept))
        .doc("The warehouse works on it").body("AcceptPart").gives(&[(200, One("FulfillmentOrder"))]).codes(ANSWER),
    post("/v1/fulfillment-orders/{id}/ship", Warehouse, || web::post().to(fulfillment::ship))
        .doc("It left")
        .about("With a carrier account (named, or planned and no parcel with a number of its own) a label is bought: 201 with the label when it is there within `wait` seconds, else 202. Without one: 201 with the shipment. 200 when this `shipment_ref` was shipped before.")
        .query(&[WAIT])
        .body("ShipPart")
        .gives(&[(201, One("ShipmentWithLabel")), (202, One("ShipmentWithLabel")), (200, One("ShipmentWithLabel"))])
        .codes(&[Code::NotFound, Code::Conflict, Code::InvalidState, Code::StaleRevision, Code::RequestPending, Code::Exists, Code::LabelRefused]),
    post("/v1/fulfillment-orders/{id}/short", Warehouse, || web::post().to(fulfillment::short))
        .doc("The warehouse has too little").body("ShortPart").gives(&[(200, One("FulfillmentOrder"))]).codes(ANSWER),
    post("/v1/fulfillment-orders/{id}/reject", Warehouse, || web::post().to(fulfillment::reject))
        .doc("The warehouse cannot work on it").body("RejectPart").gives(&[(200, One("FulfillmentOrder"))]).codes(ANSWER),
    post("/v1/fulfillment-orders/{id}/requests/{rid}/accept", Warehouse, || web::post().to(fulfillment::request_accept))
        .doc("The warehouse agrees to a change").body("AnswerRequest").gives(&[(200, One("FulfillmentOrder"))]).codes(ANSWER),
    post("/v1/fulfillment-orders/{id}/requests/{rid}/refuse", Warehouse, || web::post().to(fulfillment::request_refuse))
        .doc("The warehouse refuses a change").body("AnswerRequest").gives(&[(200, One("FulfillmentOrder"))]).codes(ANSWER),
    get("/v1/shipments", Any, || web::get().to(shipments::list))
        .doc("Shipments, newest first")
        .query(&[
            MERCHANT, CONNECTION, ORDER,
            param("fulfillment_order_id", ParamKind::Id("ful"), "Only this part's."),
            param("status", ParamKind::OneOf(SHIPMENT_STATUS), "Only in this state."),
            param("shipment_ref", ParamKind::Text, "The warehouse's own key."),
            param("tracking_number", ParamKind::Text, "The one with this parcel."),
        ])
        .paged()
        .gives(&[(200, List("Shipment"))]),
    post("/v1/shipments", Warehouse, || web::post().to(shipments::create))
        .doc("A label ahead of packing")
        .about("Idempotent by `shipment_ref`; a later `ship` with the same key sends it off. 201 with the label when it is there within `wait` seconds, else 202.")
        .query(&[WAIT])
        .body("NewShipment")
        .gives(&[(201, One("ShipmentWithLabel")), (202, One("ShipmentWithLabel")), (200, One("ShipmentWithLabel"))])
        .codes(&[Code::NotFound, Code::Conflict, Code::InvalidState, Code::StaleRevision, Code::RequestPending, Code::Exists, Code::LabelRefused]),
    get("/v1/shipments/{id}", Any, || web::get().to(shipments::get)).doc("A shipment").gives(&[(200, One("Shipment"))]).codes(FOUND),
    get("/v1/shipments/{id}/label", Any, || web::get().to(shipments::label))
        .doc("A label's bytes")
        .about("As the carrier gave them. To the depot's tokens each time is recorded as printed (a reprint is no new label), and a void label is refused.")
        .query(&[
            param("format", ParamKind::OneOf(&["pdf", "zpl", "png"]), "Only in this format."),
            param("parcel_id", ParamKind::Id("par"), "Of this parcel; of the shipment, or its first parcel, when left out."),
        ])
        .gives(&[(200, Raw("application/pdf"))])
        .codes(&[Code::NotFound, Code::Conflict, Code::InvalidState]),
    post("/v1/shipments/{id}/void", Warehouse, || web::post().to(shipments::void)).doc("The label is not needed").optional_body("VoidShipment").gives(&[(200, One("Shipment"))]).codes(COMMAND),
    post("/v1/shipments/{id}/replace", Warehouse, || web::post().to(shipments::replace))
        .doc("Another label in its place")
        .about("With the order's address and point of now. The old label is voided once the new one is bought.")
        .query(&[WAIT])
        .optional_body("ReplaceShipment")
        .gives(&[(201, One("ShipmentWithLabel")), (202, One("ShipmentWithLabel")), (200, One("ShipmentWithLabel"))])
        .codes(&[Code::NotFound, Code::Conflict, Code::InvalidState, Code::RequestPending, Code::Exists, Code::LabelRefused]),
    post("/v1/shipments/{id}/resolve", Staff, || web::post().to(shipments::resolve))
        .doc("What became of a request whose answer was lost")
        .about("`purchased` with the number that is printed on the label, or `not_purchased`: then the carrier is asked again.")
        .body("ResolveShipment").gives(&[(200, One("Shipment"))]).codes(COMMAND),
    post("/v1/manifests", Warehouse, || web::post().to(shipments::manifest))
        .doc("The list that goes with the carrier")
        .about("All packed shipments of the carrier account, or those that are named; with `handed_over` the carrier has them. What cannot be listed is named with the reason.")
        .body("NewManifest").gives(&[(201, One("Manifest"))]),
    get("/v1/tracking/{tracking_number}", Any, || web::get().to(tracking::get)).doc("A parcel's history").about("One entry a carrier account that uses the number.").gives(&[(200, List("TrackingHistory"))]).codes(FOUND),
    get("/v1/cod/items", Any, || web::get().to(cash::items))
        .doc("Cash on delivery, newest first")
        .query(&[MERCHANT, CONNECTION, ORDER, param("status", ParamKind::OneOf(COD_STATUS), "Only in this state.")])
        .paged()
        .gives(&[(200, List("CodItem"))]),
    get("/v1/cod/statement", Any, || web::get().to(cash::statement))
        .doc("The cash ledger in sums").about("One line per carrier account, merchant, currency and state.")
        .query(&[MERCHANT, CONNECTION, ORDER, param("status", ParamKind::OneOf(COD_STATUS), "Only in this state.")])
        .gives(&[(200, List("CodSum"))]),
    put("/v1/stock-levels", Warehouse, || web::put().to(stock::put))
        .doc("What the warehouse has")
        .about("Whole or not at all. A row older than what is known (by `sequence` where both have one, else by `as_of`) is `stale` and changes nothing.")
        .body("StockLevels").gives(&[(200, List("StockPut"))]).codes(FOUND),
    get("/v1/stock-levels", Any, || web::get().to(stock::list))
        .doc("Stock levels, those that changed last at the end")
        .query(&[
            MERCHANT,
            param("sku", ParamKind::Text, "Only this article."),
            param("location", ParamKind::Text, "Only this place."),
            param("updated_after", ParamKind::Time, "Only those changed after this moment."),
        ])
        .paged()
        .gives(&[(200, List("StockLevel"))]),
    get("/v1/pickup-points", Any, || web::get().to(points::search))
        .doc("Lockers and offices")
        .about("With `near` the nearest first. Only points that the newest complete reading of the directory has.")
        .query(&[
            param("network", ParamKind::Text, "Only this network's."),
            param("country", ParamKind::Text, "ISO 3166-1 alpha-2."),
            param("q", ParamKind::Text, "Words of name, street, city, postal code or id; the last may be a beginning."),
            param("near", ParamKind::Text, "Latitude and longitude in degrees, such as 42.69,23.32."),
            param("kind", ParamKind::OneOf(POINT_KIND), "Only of this kind."),
            param("cod", ParamKind::Bool, "Only those that take cash on delivery, or do not say."),
            param("limit", ParamKind::Int(1, 100), "Entries; 20 when left out."),
        ])
        .gives(&[(200, List("PickupPoint"))]),
    get("/v1/pickup-points/directories", Any, || web::get().to(points::directories)).doc("The directories that were loaded").gives(&[(200, List("Directory"))]),
    get("/v1/orders", Any, || web::get().to(orders::list))
        .doc("Orders, newest first")
        .query(&[
            MERCHANT, CONNECTION,
            param("status", ParamKind::OneOf(ORDER_STATUS), "Only in this state."),
            EXTERNAL,
            param("awaiting", ParamKind::OneOf(&["acceptance"]), "Only those of which a marketplace waits for an answer."),
            param("q", ParamKind::Text, "The number or external id begins with it, or e-mail or phone are exactly it."),
        ])
        .paged()
        .gives(&[(200, List("Order"))]),
    post("/v1/orders", Merchant, || web::post().to(orders::create))
        .doc("A phone or API order").body("NewOrder").once().gives(&[(201, One("OrderWithParts"))]).codes(&[Code::Exists, Code::InvalidState]),
    get("/v1/orders/{id}", Any, || web::get().to(orders::get)).doc("An order with its parts and shipments").gives(&[(200, One("OrderWithParts"))]).codes(FOUND),
    patch("/v1/orders/{id}", Merchant, || web::patch().to(orders::correct))
        .doc("Correct an order").about("Laid over what the channel says, and never wiped by its next revision.").body("OverrideOrder").gives(&[(200, One("OrderWithParts"))]).codes(COMMAND),
    get("/v1/orders/{id}/timeline", Any, || web::get().to(orders::timeline)).doc("An order's whole story, oldest first").gives(&[(200, List("TimelineEntry"))]).codes(FOUND),
    post("/v1/orders/{id}/hold", Merchant, || web::post().to(orders::hold)).doc("Hold an order").optional_body("HoldOrder").gives(&[(200, One("OrderWithParts"))]).codes(COMMAND),
    post("/v1/orders/{id}/release", Merchant, || web::post().to(orders::release)).doc("Clear holds").optional_body("ReleaseOrder").gives(&[(200, One("OrderWithParts"))]).codes(COMMAND),
    post("/v1/orders/{id}/cancel", Merchant, || web::post().to(orders::cancel))
        .doc("Cancel what has not left").about("Once the warehouse works on it, it is asked first.").optional_body("CancelOrder").gives(&[(200, One("OrderWithParts"))]).codes(&[Code::NotFound, Code::Conflict, Code::InvalidState, Code::AlreadyShipped]),
    post("/v1/orders/{id}/accept", Merchant, || web::post().to(orders::accept)).doc("Tell a marketplace yes").optional_body("AcceptOrder").gives(&[(200, One("OrderWithParts"))]).codes(COMMAND),
    post("/v1/orders/{id}/refuse", Merchant, || web::post().to(orders::refuse)).doc("Tell a marketplace no").body("RefuseOrder").gives(&[(200, One("OrderWithParts"))]).codes(COMMAND),
    post("/v1/orders/{id}/resolve-conflict", Merchant, || web::post().to(orders::resolve_conflict))
        .doc("Choose between a correction and the channel's newer value").body("ResolveConflict").gives(&[(200, One("OrderWithParts"))]).codes(COMMAND),
    get("/v1/merchants", Any, || web::get().to(merchants::list)).doc("Merchants, by name").paged().gives(&[(200, List("Merchant"))]),
    post("/v1/merchants", Staff, || web::post().to(merchants::create)).doc("A new merchant").body("NewMerchant").once().gives(&[(201, One("Merchant"))]),
    get("/v1/merchants/{id}", Any, || web::get().to(merchants::get)).doc("A merchant").gives(&[(200, One("Merchant"))]).codes(FOUND),
    patch("/v1/merchants/{id}", Staff, || web::patch().to(merchants::change))
        .doc("Change a merchant")
        .about("The operator's own settings (`mer_00000000000000000000000000000001`) hold the carrier rules that count for all.")
        .body("MerchantPatch").gives(&[(200, One("Merchant"))]).codes(&[Code::NotFound, Code::Conflict]),
    post("/v1/merchants/{id}/erase", Admin, || web::post().to(merchants::erase))
        .doc("Erase a merchant for ever")
        .about("Its data key is deleted: nothing that was sealed for it opens again, on any node. Its connections are deleted before. Ids, states, sums and the ledger stay.")
        .body("EraseMerchant").gives(&[(200, One("Merchant"))]).codes(COMMAND),
    get("/v1/connections", Merchant, || web::get().to(connections::list))
        .doc("Connections")
        .query(&[
            MERCHANT,
            param("connector", ParamKind::Text, "Only of this connector."),
            param("state", ParamKind::OneOf(CONNECTION_STATE), "Only in this state."),
        ])
        .gives(&[(200, List("Connection"))]),
    post("/v1/connections", Staff, || web::post().to(connections::create))
        .doc("A new connection")
        .about("Stored at once; check and webhook registration are jobs. Webhooks are registered when the connection becomes active, since that changes the provider: an observing one is given its `hook_url` by hand, or polls.")
        .body("NewConnection").once().gives(&[(201, One("Connection"))]).codes(&[Code::UnknownConnector]),
    get("/v1/connections/{id}", Merchant, || web::get().to(connections::get)).doc("A connection").gives(&[(200, One("Connection"))]).codes(FOUND),
    patch("/v1/connections/{id}", Staff, || web::patch().to(connections::patch)).doc("Change a connection").body("ConnectionPatch").gives(&[(200, One("Connection"))]).codes(&[Code::NotFound, Code::Gone, Code::Conflict]),
    delete("/v1/connections/{id}", Staff, || web::delete().to(connections::delete)).doc("Delete a connection").about("Its hook answers 410 from now on; what it received stays.").gives(&[(204, Empty)]).codes(FOUND),
    post("/v1/connections/{id}/check", Staff, || web::post().to(connections::check)).doc("Check the credentials").optional_body("Empty").gives(&[(202, One("Queued"))]).codes(&[Code::NotFound, Code::Gone, Code::Rejected]),
    post("/v1/connections/{id}/pull", Staff, || web::post().to(connections::pull)).doc("Pull now").optional_body("Empty").gives(&[(202, One("Queued"))]).codes(&[Code::NotFound, Code::Gone, Code::Rejected]),
    post("/v1/connections/{id}/pause", Staff, || web::post().to(connections::pause)).doc("Pause: still receives and stores").optional_body("Empty").gives(&[(200, One("Connection"))]).codes(&[Code::NotFound, Code::Gone]),
    post("/v1/connections/{id}/resume", Staff, || web::post().to(connections::resume))
        .doc("Resume").about("Goes back to `active` or `observing`, whichever was wanted last; parked work goes on.").optional_body("Empty").gives(&[(200, One("Connection"))]).codes(&[Code::NotFound, Code::Gone]),
    get("/v1/connectors", Any, || web::get().to(connectors::list)).doc("What can be plugged in").gives(&[(200, List("Connector"))]),
    get("/v1/connectors/{id}", Any, || web::get().to(connectors::get)).doc("A connector with its form as JSON Schema").gives(&[(200, One("Connector"))]).codes(FOUND),
    get("/v1/subscriptions", Any, || web::get().to(subscriptions::list)).doc("Subscriptions").gives(&[(200, List("Subscription"))]),
    post("/v1/subscriptions", Any, || web::post().to(subscriptions::create))
        .doc("A new subscription").about("Webhooks are signed by the Standard Webhooks specification; the secret is shown once. A stream of NATS JetStream (`nats://`, `tls://`) is published to as whom `credentials` say.").body("NewSubscription").once().gives(&[(201, One("Subscription"))]),
    get("/v1/subscriptions/{id}", Any, || web::get().to(subscriptions::get)).doc("A subscription").gives(&[(200, One("Subscription"))]).codes(FOUND),
    patch("/v1/subscriptions/{id}", Any, || web::patch().to(subscriptions::change)).doc("Enable or disable a subscription").body("SubscriptionPatch").gives(&[(200, One("Subscription"))]).codes(FOUND),
    delete("/v1/subscriptions/{id}", Any, || web::delete().to(subscriptions::delete)).doc("Delete a subscription").gives(&[(204, Empty)]).codes(FOUND),
    post("/v1/subscriptions/{id}/secret", Any, || web::post().to(subscriptions::renew))
        .doc("A new signing secret, or a broker's new credentials").about("A webhook's secret is shown once; deliveries bear a signature by the former one beside it for a while, so that none is refused while you change over. A broker is connected to anew with the `credentials` given; make them known to it before.").optional_body("NewSecret").once().gives(&[(200, One("Subscription"))]).codes(FOUND),
    get("/v1/deliveries", Any, || web::get().to(deliveries::list))
        .doc("Deliveries that are not simply done")
        .query(&[
            SUBSCRIPTION,
            param("state", ParamKind::OneOf(DELIVERY_STATE), "Only in this state."),
            param("event_id", ParamKind::Id("evt"), "Only of this event."),
        ])
        .paged()
        .gives(&[(200, List("Delivery"))]),
    get("/v1/deliveries/{id}", Any, || web::get().to(deliveries::get)).doc("A delivery").gives(&[(200, One("Delivery"))]).codes(FOUND),
    post("/v1/deliveries/{id}/replay", Any, || web::post().to(deliveries::replay_one)).doc("Send it again").optional_body("Empty").once().gives(&[(201, One("Delivery"))]).codes(FOUND),
    post("/v1/replays", Any, || web::post().to(deliveries::replay))
        .doc("Send a span of events again").about("202 when deliveries were made, 200 for a dry run.").body("NewReplay").once()
        .gives(&[(202, One("Replay")), (200, One("Replay"))]).codes(&[Code::NotFound, Code::ReplayTooLarge]),
    get("/v1/inbox", Merchant, || web::get().to(inbox::list))
        .doc("What arrived, newest first").query(&[CONNECTION, param("disposition", ParamKind::OneOf(DISPOSITION), "Only with this disposition."), EXTERNAL]).paged().gives(&[(200, List("InboxRecord"))]),
    get("/v1/inbox/{id}", Merchant, || web::get().to(inbox::get)).doc("An inbox record").gives(&[(200, One("InboxRecord"))]).codes(FOUND),
    get("/v1/inbox/{id}/payload", Merchant, || web::get().to(inbox::payload)).doc("The delivery, byte for byte").gives(&[(200, Raw("application/octet-stream"))]).codes(FOUND),
    get("/v1/ledger", Merchant, || web::get().to(inbox::ledger))
        .doc("The conservation ledger").about("`received` is the sum of the rest, per connection and UTC day of arrival.").query(&[CONNECTION, param("day", ParamKind::Day, "Only this day.")]).gives(&[(200, List("LedgerLine"))]),
    get("/v1/problems", Merchant, || web::get().to(problems::list))
        .doc("Problems, newest first")
        .query(&[
            param("status", ParamKind::OneOf(&["open", "resolved"]), "Only in this state."),
            param("class", ParamKind::OneOf(CLASS), "Only of this class."),
            CONNECTION,
            param("subject", ParamKind::Text, "Only about this."),
        ])
        .paged()
        .gives(&[(200, List("Trouble"))]),
    get("/v1/problems/{id}", Merchant, || web::get().to(problems::get)).doc("A problem").gives(&[(200, One("Trouble"))]).codes(FOUND),
    post("/v1/problems/{id}/retry", Staff, || web::post().to(problems::retry)).doc("Try again").about("Records are mapped by the mapping as it is now; a parked job runs again.").optional_body("Empty").once().gives(&[(200, One("Retried"))]).codes(&[Code::NotFound, Code::Rejected]),
    get("/v1/jobs", Staff, || web::get().to(problems::jobs)).doc("Work towards providers").query(&[CONNECTION, ORDER, param("state", ParamKind::OneOf(JOB_STATE), "Only in this state.")]).paged().gives(&[(200, List("Job"))]),
    post("/v1/jobs/{id}/retry", Staff, || web::post().to(problems::retry_job)).doc("Run a parked job again").optional_body("Empty").gives(&[(202, One("JobsRetried"))]).codes(FOUND),
    get("/v1/tokens", Admin, || web::get().to(tokens::list)).doc("Tokens").gives(&[(200, List("Token"))]),
    post("/v1/tokens", Admin, || web::post().to(tokens::create)).doc("A new token").about("The token is shown once.").body("NewToken").once().gives(&[(201, One("Token"))]),
    delete("/v1/tokens/{id}", Admin, || web::delete().to(tokens::revoke)).doc("Revoke a token").gives(&[(204, Empty)]).codes(FOUND),
    get("/v1/audit", Staff, || web::get().to(tokens::audit)).doc("Who did what, newest first").query(&[param("subject", ParamKind::Text, "Only about this id.")]).paged().gives(&[(200, List("AuditEntry"))]),
    get("/readyz", Public, || web::get().to(health::ready)).doc("It can take and keep deliveries").gives(&[(200, One("Ready"))]).codes(&[Code::NotReady]),
    get("/metrics", Public, || web::get().to(health::metrics)).doc("Metrics for Prometheus").about("Names connectors, routes and counts; no personal data. Keep it inside your network all the same.").gives(&[(200, Raw("text/plain"))]),
    get("/openapi.json", Public, || web::get().to(health::document)).doc("This document").gives(&[(200, Raw("application/json"))]),
    get("/docs", Public, || web::get().to(health::to_docs)).doc("To the page of this document").gives(&[(308, Empty)]),
    get("/docs/{file:.*}", Public, || web::get().to(health::docs)).doc("The page of this document").gives(&[(200, Raw("text/html"))]).codes(FOUND),
];
