# One locker: {id, name, town, zip, lat, lon}.
{network: "hornpost", point_id: (.id | require("id")), kind: "locker", name: .name, address: {city: .town, postal_code: .zip, country: "GR"},
 geo: (if .lat == null then null else {lat, lon} end), cod_allowed: true}
