# At most 50 offers of one call. An offer's id is the seller's own number of it (product_id of order lines).
{data: [.connection.warehouse_id as $warehouse | .item[] | {id: ((.external_id // .sku) | tostring | if test("^[0-9]{1,8}$") then tonumber else error("levels: the offer's number is not known: external_id") end), stock: [{warehouse_id: ($warehouse // 1), value: .available}]}]}
