<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\EventListener;

use Lockstep\PimcoreBundle\Core\Hint;
use Lockstep\PimcoreBundle\Core\Notifier;
use Pimcore\Event\Model\ElementEventInterface;
use Symfony\Component\EventDispatcher\EventSubscriberInterface;

/** Hears of elements that were saved or deleted, and of the moments in which sending disturbs nobody. */
final class ElementListener implements EventSubscriberInterface
{
    public function __construct(private readonly Notifier $notifier)
    {
    }

    public static function getSubscribedEvents(): array
    {
        $events = [
            // Late, so that what others do there is done, and sent as well.
            'kernel.terminate' => ['onEnd', -2000],
            'console.terminate' => ['onEnd', -2000],
            // A worker lives for hours: it sends after each message. By name: Messenger need not be there.
            'Symfony\Component\Messenger\Event\WorkerRunningEvent' => 'onEnd',
        ];
        foreach (['dataobject', 'asset', 'document'] as $kind) {
            foreach (['postAdd', 'postUpdate', 'postDelete'] as $what) {
                $events["pimcore.$kind.$what"] = ['onElement', -100];
            }
        }

        return $events;
    }

    public function onElement(ElementEventInterface $event, string $name): void
    {
        try {
            $hint = Hint::of($name, $event->getElement(), $event->getArguments());
        } catch (\Throwable $e) {
            $this->notifier->failed($e);

            return;
        }
        if (null !== $hint) {
            $this->notifier->note($hint);
        }
    }

    public function onEnd(): void
    {
        $this->notifier->flush();
    }
}
