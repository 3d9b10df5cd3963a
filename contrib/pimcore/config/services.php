<?php

declare(strict_types=1);

use Lockstep\PimcoreBundle\Command\SendCommand;
use Lockstep\PimcoreBundle\Core\Notifier;
use Lockstep\PimcoreBundle\Doctrine\Transactions;
use Lockstep\PimcoreBundle\EventListener\ElementListener;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;

use function Symfony\Component\DependencyInjection\Loader\Configurator\service;
use function Symfony\Component\DependencyInjection\Loader\Configurator\service_closure;

return static function (ContainerConfigurator $container): void {
    $services = $container->services()->defaults()->private();

    $services->set('lockstep.transactions', Transactions::class)
        ->args([service('doctrine.dbal.default_connection')]);

    // The first argument is the configuration, set by the extension.
    $services->set('lockstep.notifier', Notifier::class)
        ->args([[], service('logger')->nullOnInvalid(), service('lockstep.transactions')])
        ->tag('monolog.logger', ['channel' => 'lockstep']);

    $services->set('lockstep.listener', ElementListener::class)
        ->args([service_closure('lockstep.notifier'), service('logger')->nullOnInvalid()])
        ->tag('kernel.event_subscriber')
        ->tag('monolog.logger', ['channel' => 'lockstep']);

    $services->set('lockstep.send', SendCommand::class)
        ->args([service('lockstep.notifier')])
        ->tag('console.command', ['command' => SendCommand::NAME, 'description' => SendCommand::HELP]);
};
