<?php

declare(strict_types=1);

// The bundle in a real container, with real events and a real console: php tests/symfony.php. Symfony comes from Debian's
// packages php-symfony-dependency-injection, -config, -console, -event-dispatcher and -http-kernel.

namespace Doctrine\DBAL {
    class Connection
    {
        public bool $open = false;

        public function isTransactionActive(): bool
        {
            return $this->open;
        }
    }
}

namespace Lockstep\PimcoreBundle\Tests {
    use Doctrine\DBAL\Connection;
    use Lockstep\PimcoreBundle\LockstepPimcoreBundle;
    use Symfony\Component\Config\Definition\Exception\InvalidConfigurationException;
    use Symfony\Component\Console\Application;
    use Symfony\Component\Console\DependencyInjection\AddConsoleCommandPass;
    use Symfony\Component\Console\Tester\CommandTester;
    use Symfony\Component\DependencyInjection\Container;
    use Symfony\Component\DependencyInjection\ContainerBuilder;
    use Symfony\Component\DependencyInjection\Definition;
    use Symfony\Component\DependencyInjection\Dumper\PhpDumper;
    use Symfony\Component\EventDispatcher\DependencyInjection\RegisterListenersPass;
    use Symfony\Component\EventDispatcher\EventDispatcher;
    use Symfony\Contracts\EventDispatcher\Event;

    foreach (['DependencyInjection', 'Config', 'Console', 'EventDispatcher', 'HttpKernel'] as $component) {
        require_once "/usr/share/php/Symfony/Component/$component/autoload.php";
    }
    require __DIR__.'/bootstrap.php';
    require __DIR__.'/kit.php';

    /** @param array<string, mixed> $config */
    $build = static function (Kit $kit, array $config): Container {
        $container = new ContainerBuilder();
        $container->setParameter('kernel.project_dir', $kit->dir);
        $container->setDefinition('event_dispatcher', (new Definition(EventDispatcher::class))->setPublic(true));
        $container->setDefinition('doctrine.dbal.default_connection', (new Definition(Connection::class))->setPublic(true));
        $container->setDefinition('logger', (new Definition(Lines::class))->setPublic(true));
        $container->addCompilerPass(new RegisterListenersPass());
        $container->addCompilerPass(new AddConsoleCommandPass());
        $bundle = new LockstepPimcoreBundle();
        $bundle->build($container);
        $container->registerExtension($bundle->getContainerExtension());
        $container->loadFromExtension('lockstep_pimcore', $config);
        $container->compile();
        // As a kernel does: environment variables are read when a service is made.
        $class = 'Container'.bin2hex(random_bytes(4));
        eval('?>'.(new PhpDumper($container))->dump(['class' => $class]));

        return new $class();
    };

    $kit = new Kit();
    try {
        $_ENV['HOOK'] = $kit->server();
        $_ENV['HOOK_SECRET'] = Kit::SECRET;
        $container = $build($kit, ['url' => '%env(HOOK)%', 'secret' => '%env(HOOK_SECRET)%', 'classes' => ['Product']]);
        $events = $container->get('event_dispatcher');
        $event = new class(new FakeObject(1), []) extends Event implements \Pimcore\Event\Model\ElementEventInterface {
            public function __construct(private object $element, private array $args)
            {
            }

            public function getElement(): object
            {
                return $this->element;
            }

            public function getArguments(): array
            {
                return $this->args;
            }
        };
        $save = static function (object $element, string $name, array $args = []) use ($events, $event): void {
            $events->dispatch(new $event($element, $args), $name);
        };

        $save(new FakeObject(1), 'pimcore.dataobject.postAdd');
        $save(new FakeObject(2), 'pimcore.dataobject.postUpdate', ['saveVersionOnly' => true, 'isAutoSave' => true]);
        $save(new FakeObject(3, class: 'Car'), 'pimcore.dataobject.postUpdate');
        $save(new FakePlain(4, 'folder', '/New'), 'pimcore.dataobject.postUpdate', ['oldPath' => '/Old']);
        $save(new FakePlain(5, 'image', '/a.jpg'), 'pimcore.asset.postDelete');
        $save(new FakePlain(6, 'page', '/p'), 'pimcore.document.postUpdate');
        same([], $kit->taken());
        $container->get('doctrine.dbal.default_connection')->open = true;
        $events->dispatch(new Event(), 'kernel.terminate');
        same([], $kit->taken(), 'a transaction is open');
        $container->get('doctrine.dbal.default_connection')->open = false;
        $events->dispatch(new Event(), 'console.terminate');
        same([1, 4, 5], $kit->ids());
        same(true, is_dir($kit->dir.'/var/lockstep/spool/lockstep'), 'the spool is not where it should be');
        $save(new FakeObject(7), 'pimcore.dataobject.postDelete');
        $events->dispatch(new Event(), 'Symfony\Component\Messenger\Event\WorkerRunningEvent');
        same([1, 4, 5, 7], $kit->ids());
        echo "ok    events\n";

        $kit->answer('503');
        $save(new FakeObject(8), 'pimcore.dataobject.postUpdate');
        $events->dispatch(new Event(), 'kernel.terminate');
        $application = new Application();
        $application->setCommandLoader($container->get('console.command_loader'));
        $command = new CommandTester($application->find('lockstep:send'));
        same(1, $command->execute([]));
        holds(1 === preg_match('/^lockstep: \d+ bytes of hints wait: HTTP 503 LS-NOTICE$/m', $command->getDisplay()), $command->getDisplay());
        $kit->answer('202');
        same(0, $command->execute(['--timeout' => '5']));
        same("lockstep: 1 hints sent\n", $command->getDisplay());
        same([1, 4, 5, 7, 8], $kit->ids());
        same(0, $command->execute([]));
        same('', $command->getDisplay(), 'cron shall have nothing to say');
        holds(!str_contains(implode($container->get('logger')->lines), Kit::SECRET), 'the secret is in the log');
        echo "ok    command\n";

        foreach (['%env(NOT_SET)%', '%env(string:default::NOT_SET)%'] as $secret) {
            $other = $build($kit, ['url' => '%env(HOOK)%', 'secret' => $secret]);
            for ($id = 20; $id < 23; ++$id) {
                $other->get('event_dispatcher')->dispatch(new $event(new FakeObject($id), []), 'pimcore.dataobject.postUpdate');
            }
            $other->get('event_dispatcher')->dispatch(new Event(), 'kernel.terminate');
            same(1, \count($other->get('logger')->lines), "a save with $secret");
        }
        echo "ok    a missing secret\n";

        $build($kit, []);
        $build($kit, ['timeout' => 1, 'targets' => [
            'cars' => ['url' => 'https://l.example.com/hooks/cars', 'secret' => 'x', 'assets' => false, 'body' => 'keys'],
            'products' => ['url' => 'https://l.example.com/hooks/products', 'secret' => 'x'],
        ]]);
        foreach ([
            'no secret' => ['url' => 'https://l.example.com/hooks/x'],
            'a misspelt key' => ['url' => 'https://l.example.com/hooks/x', 'secret' => 'x', 'clases' => ['Car']],
        ] as $what => $config) {
            try {
                $build($kit, $config);
            } catch (InvalidConfigurationException) {
                continue;
            }
            throw new \RuntimeException("$what is accepted");
        }
        echo "ok    configuration\n";
    } finally {
        $kit->end();
    }
}
