// Made orders of about 2 KB, each distinct: the same as benches/main/orders.rs makes, signed as a shop signs them.
import { createHmac } from "node:crypto";

const NAMES = [["Jānis", "Bērziņš", "Rīga", "LV"], ["Ελένη", "Παππά", "Θεσσαλονίκη", "GR"], ["Мария", "Иванова", "София", "BG"]];
const pad = (n, width) => String(n).padStart(width, "0");
const MOMENT = "2026-11-22T01:15:21";

/** One order as the shop's webhook carries it. */
export function order(id) {
  const [first_name, last_name, city, country] = NAMES[id % NAMES.length];
  const address = { first_name, last_name, company: "", address_1: `Main street ${id}`, address_2: "", city, state: "",
    postcode: `1${pad(id % 1000, 3)}`, country, email: `buyer${id}@example.test`, phone: `+3712000${pad(id % 10000, 4)}` };
  const cod = id % 3 === 0;
  const paid = cod ? null : "2026-11-22T01:15:22";
  const line = (n, name, product_id, quantity, total, total_tax, sku, price, taxes) => ({ id: id * 3 + n, name, product_id,
    variation_id: 0, quantity, tax_class: "", subtotal: total, subtotal_tax: total_tax, total, total_tax, taxes, meta_data: [],
    sku, global_unique_id: "", price, image: { id: "", src: "" }, parent_name: null });
  return JSON.stringify({ id, parent_id: 0, status: "processing", currency: "EUR", version: "11.0.1", prices_include_tax: false,
    date_created: MOMENT, date_modified: MOMENT, date_created_gmt: MOMENT, date_modified_gmt: MOMENT, discount_total: "0.00",
    discount_tax: "0.00", shipping_total: "3.50", shipping_tax: "0.74", cart_tax: "8.25", total: "51.79", total_tax: "8.99",
    customer_id: 0, order_key: `wc_order_${pad(id, 13)}`, billing: address, shipping: address,
    payment_method: cod ? "cod" : "stripe", payment_method_title: cod ? "Cash on delivery" : "Card", transaction_id: "",
    customer_ip_address: "", customer_user_agent: "", created_via: "checkout", customer_note: "", date_completed: null,
    date_paid: paid, date_completed_gmt: null, date_paid_gmt: paid, cart_hash: "", number: String(id), meta_data: [],
    line_items: [
      line(0, "Mug", 10, 2, "19.80", "4.16", "MUG-1", 9.9, [{ id: 1, total: "4.16", subtotal: "4.16" }]),
      line(1, "T-shirt M", 11, 1, "19.50", "4.09", "TEE-M", 19.5, [])],
    tax_lines: [], shipping_lines: [{ id: id * 3 + 2, method_title: "Courier", method_id: "flat_rate", instance_id: "1",
      total: "3.50", total_tax: "0.74", taxes: [], meta_data: [] }],
    fee_lines: [], coupon_lines: [], refunds: [], payment_url: "", is_editable: false, needs_payment: false,
    needs_processing: true, currency_symbol: "€" });
}

/** The whole HTTP request, ready to be written; signed for everybody, checked by whoever checks. */
export function request(port, path, secret, id) {
  const body = Buffer.from(order(id));
  const signature = createHmac("sha256", secret).update(body).digest("base64");
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n`
    + `x-wc-webhook-topic: order.created\r\nx-wc-webhook-signature: ${signature}\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}
