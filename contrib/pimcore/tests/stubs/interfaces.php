<?php

declare(strict_types=1);

namespace Psr\Log {
    if (!interface_exists(LoggerInterface::class)) {
        interface LoggerInterface
        {
            public function log($level, $message, array $context = []);
        }

        trait LoggerTrait
        {
        }
    }
}

namespace Symfony\Component\EventDispatcher {
    if (!interface_exists(EventSubscriberInterface::class)) {
        interface EventSubscriberInterface
        {
            public static function getSubscribedEvents();
        }
    }
}

namespace Pimcore\Event\Model {
    interface ElementEventInterface
    {
        public function getElement();

        public function getArguments(): array;
    }
}
