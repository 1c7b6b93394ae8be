//! The routes of labels, parcels, cash and pickup points, through the real server, with made-up
//! carriers: what each answers, to whom, and to what does not fit.

mod ahead;
mod bad;
mod cash;
mod change;
mod desk;
mod isolation;
mod plan;
mod points;
