<?php
namespace Opencart\Catalog\Controller\Extension\Crossdock;

require_once DIR_EXTENSION . 'crossdock/system/library/crossdock/load.php';

/** What the gateway calls. */
class Api extends \Opencart\System\Engine\Controller {
	public function index(): void {
		$this->load->model('checkout/order');
		$answer = \Crossdock\Shop::answer($this->registry, function ($order_id, $status_id, $comment, $notify) {
			$this->model_checkout_order->addHistory($order_id, $status_id, $comment, $notify, true);
		});
		$this->response->addHeader('Content-Type: application/json');
		$this->response->setOutput($answer);
	}
}
