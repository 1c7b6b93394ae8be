//! Made orders of about 2 KB, each distinct, signed as a shop signs them.

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use std::net::SocketAddr;

/// Orders differ in buyer and payment by their id modulo this.
pub const KINDS: usize = 3;

/// The buyer's address of an order.
pub fn email(id: usize) -> String {
    format!("buyer{id}@example.test")
}

/// One order as the shop's webhook carries it.
pub fn order(id: usize) -> String {
    let names = [
        ("Jānis", "Bērziņš", "Rīga", "LV"),
        ("Ελένη", "Παππά", "Θεσσαλονίκη", "GR"),
        ("Мария", "Иванова", "София", "BG"),
    ];
    let (first, last, city, country) = names[id % names.len()];
    let address = format!(
        r#"{{"first_name":"{first}","last_name":"{last}","company":"","address_1":"Main street {id}","address_2":"","city":"{city}","state":"","postcode":"1{:03}","country":"{country}","email":"{email}","phone":"+3712000{:04}"}}"#,
        id % 1000,
        id % 10_000,
        email = email(id),
    );
    let cod = id.is_multiple_of(3);
    let (method, title, paid) = if cod {
        ("cod", "Cash on delivery", "null".to_owned())
    } else {
        ("stripe", "Card", "\"2026-11-22T01:15:22\"".to_owned())
    };
    format!(
        r#"{{"id":{id},"parent_id":0,"status":"processing","currency":"EUR","version":"11.0.1","prices_include_tax":false,"date_created":"2026-11-22T01:15:21","date_modified":"2026-11-22T01:15:21","date_created_gmt":"2026-11-22T01:15:21","date_modified_gmt":"2026-11-22T01:15:21","discount_total":"0.00","discount_tax":"0.00","shipping_total":"3.50","shipping_tax":"0.74","cart_tax":"8.25","total":"51.79","total_tax":"8.99","customer_id":0,"order_key":"wc_order_{id:013}","billing":{address},"shipping":{address},"payment_method":"{method}","payment_method_title":"{title}","transaction_id":"","customer_ip_address":"","customer_user_agent":"","created_via":"checkout","customer_note":"","date_completed":null,"date_paid":{paid},"date_completed_gmt":null,"date_paid_gmt":{paid},"cart_hash":"","number":"{id}","meta_data":[],"line_items":[{{"id":{a},"name":"Mug","product_id":10,"variation_id":0,"quantity":2,"tax_class":"","subtotal":"19.80","subtotal_tax":"4.16","total":"19.80","total_tax":"4.16","taxes":[{{"id":1,"total":"4.16","subtotal":"4.16"}}],"meta_data":[],"sku":"MUG-1","global_unique_id":"","price":9.9,"image":{{"id":"","src":""}},"parent_name":null}},{{"id":{b},"name":"T-shirt M","product_id":11,"variation_id":0,"quantity":1,"tax_class":"","subtotal":"19.50","subtotal_tax":"4.09","total":"19.50","total_tax":"4.09","taxes":[],"meta_data":[],"sku":"TEE-M","global_unique_id":"","price":19.5,"image":{{"id":"","src":""}},"parent_name":null}}],"tax_lines":[],"shipping_lines":[{{"id":{c},"method_title":"Courier","method_id":"flat_rate","instance_id":"1","total":"3.50","total_tax":"0.74","taxes":[],"meta_data":[]}}],"fee_lines":[],"coupon_lines":[],"refunds":[],"payment_url":"","is_editable":false,"needs_payment":false,"needs_processing":true,"currency_symbol":"€"}}"#,
        a = id * 3,
        b = id * 3 + 1,
        c = id * 3 + 2,
    )
}

/// The whole HTTP request, ready to be written.
pub fn request(addr: SocketAddr, path: &str, secret: &str, id: usize) -> Vec<u8> {
    let body = order(id);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("key");
    mac.update(body.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\nx-wc-webhook-topic: order.created\r\nx-wc-webhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A bare GET, the yardstick.
pub fn healthz(addr: SocketAddr) -> Vec<u8> {
    format!("GET /healthz HTTP/1.1\r\nhost: {addr}\r\n\r\n").into_bytes()
}
