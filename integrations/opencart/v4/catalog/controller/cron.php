<?php
namespace Opencart\Catalog\Controller\Extension\Crossdock;

require_once DIR_EXTENSION . 'crossdock/system/library/crossdock/load.php';

/** Sends what could not be sent at once. It sends only what is due, so anybody may call it. OpenCart's own cron does each hour. */
class Cron extends \Opencart\System\Engine\Controller {
	public function index(mixed ...$args): void {
		$this->response->setOutput('sent ' . \Crossdock\Shop::cron($this->registry) . "\n");
	}
}
