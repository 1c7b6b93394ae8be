<?php
$_['heading_title']    = 'Crossdock';
$_['text_extension']   = 'Extensions';
$_['text_success']     = 'Success: the Crossdock settings are saved.';
$_['text_edit']        = 'Connect this shop to a fulfilment centre';
$_['text_none']        = 'No gateway has registered yet: create the connection there with this shop\'s address and the secret above.';
$_['entry_status']     = 'Status';
$_['entry_secret']     = 'Secret';
$_['help_secret']      = 'Copy it into the connection at the gateway. Whoever has it can read orders and change stock; a new one shuts the old out.';
$_['entry_hooks']      = 'Told of orders';
$_['entry_cron']       = 'Cron';
$_['help_cron']        = 'Call this address each minute or so: it sends again what could not be sent at once.';
$_['error_permission'] = 'Warning: You do not have permission to modify the Crossdock module!';
$_['error_secret']     = 'The secret has at least 32 characters.';
