//! Made orders after the documented shape of the shop's webhooks, signed as the shop signs.

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

pub fn sign(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// A paid order of two mugs, last changed at `second` of a fixed minute.
pub fn order(id: u64, second: u32) -> Value {
    let when = format!("2026-11-22T10:{:02}:{:02}", second / 60, second % 60);
    let address = json!({
        "first_name": "Ελένη", "last_name": "Παππά", "company": "", "address_1": "Οδός Ερμού 12",
        "address_2": "", "city": "Αθήνα", "state": "", "postcode": "10563", "country": "GR",
        "email": "eleni@example.test", "phone": "+302101234567"
    });
    json!({
        "id": id, "number": id.to_string(), "status": "processing", "currency": "EUR",
        "date_created": "2026-11-22T10:00:00", "date_created_gmt": "2026-11-22T10:00:00",
        "date_modified": when, "date_modified_gmt": when,
        "discount_total": "0.00", "shipping_total": "3.00", "shipping_tax": "0.72",
        "total": "28.52", "total_tax": "5.52", "prices_include_tax": true, "customer_id": 7,
        "billing": address, "shipping": address, "payment_method": "stripe",
        "payment_method_title": "Card", "date_paid_gmt": "2026-11-22T10:00:01", "date_paid": "2026-11-22T10:00:01",
        "customer_note": "", "meta_data": [],
        "line_items": [{"id": id * 10, "name": "Κούπα", "product_id": 5, "variation_id": 0,
            "quantity": 2, "subtotal": "20.00", "subtotal_tax": "4.80", "total": "20.00",
            "total_tax": "4.80", "sku": "MUG-1", "price": 10, "meta_data": []}],
        "shipping_lines": [{"id": id * 10 + 1, "method_title": "Courier", "method_id": "flat_rate",
            "total": "3.00", "total_tax": "0.72", "meta_data": []}],
        "fee_lines": [], "coupon_lines": [], "tax_lines": [], "refunds": []
    })
}
