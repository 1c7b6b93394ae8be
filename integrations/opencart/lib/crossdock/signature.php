<?php
namespace Crossdock;

/**
 * Proof of who calls, in both directions: HMAC-SHA256, written as `v1=` and hexadecimal digits.
 *
 * A call to the shop is signed over method, path and query as they are sent, moment and body, one a line; an event to the
 * gateway over its body alone (a repeated one is stale or unchanged there, so its moment proves nothing more).
 */
final class Signature {
	/** How far the moment of a call may be off, in seconds. */
	const WINDOW = 300;

	/** The signature of a call to the shop. */
	public static function ofCall(string $secret, string $method, string $target, string $moment, string $body): string {
		return 'v1=' . hash_hmac('sha256', implode("\n", [$method, $target, $moment, $body]), $secret);
	}

	/** The signature of an event to the gateway. */
	public static function ofEvent(string $secret, string $body): string {
		return 'v1=' . hash_hmac('sha256', $body, $secret);
	}

	/** Why a call is not believed; null when it is. A shop without a secret believes nobody. */
	public static function refusal(string $secret, string $method, string $target, string $moment, string $given, string $body, int $now) {
		if ($secret === '') {
			return 'the extension has no secret yet';
		}
		if ($given === '' || !preg_match('/^[0-9]{1,12}$/', $moment)) {
			return 'signature or timestamp is missing';
		}
		if (abs($now - (int)$moment) > self::WINDOW) {
			return 'the timestamp is off by more than ' . self::WINDOW . ' seconds: check the clocks';
		}
		return hash_equals(self::ofCall($secret, $method, $target, $moment, $body), $given) ? null : 'the signature does not fit';
	}

	/** A new secret. */
	public static function secret(): string {
		return 'cds_' . bin2hex(random_bytes(24));
	}
}
