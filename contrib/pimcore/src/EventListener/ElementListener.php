<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\EventListener;

use Lockstep\PimcoreBundle\Core\Hint;
use Lockstep\PimcoreBundle\Core\Journal;
use Lockstep\PimcoreBundle\Core\Notifier;
use Pimcore\Event\Model\ElementEventInterface;
use Psr\Log\LoggerInterface;
use Symfony\Component\EventDispatcher\EventSubscriberInterface;

/** Hears of elements that were saved or deleted, and of the moments in which sending disturbs nobody. */
final class ElementListener implements EventSubscriberInterface
{
    /** @param Notifier|\Closure(): Notifier|null $notifier made when it is needed: a missing setting must not stop a save */
    public function __construct(private Notifier|\Closure|null $notifier, private readonly ?LoggerInterface $logger = null)
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
        $notifier = $this->notifier();
        try {
            $hint = Hint::of($name, $event->getElement(), $event->getArguments());
        } catch (\Throwable $e) {
            $notifier?->failed($e);

            return;
        }
        if (null !== $hint) {
            $notifier?->note($hint);
        }
    }

    public function onEnd(): void
    {
        if ($this->notifier instanceof Notifier) { // else nothing was saved
            $this->notifier->flush();
        }
    }

    private function notifier(): ?Notifier
    {
        if ($this->notifier instanceof \Closure) {
            $make = $this->notifier;
            $this->notifier = null; // where it cannot be made that is said once
            try {
                $this->notifier = $make();
            } catch (\Throwable $e) {
                (new Journal($this->logger))->threw($e);
            }
        }

        return $this->notifier;
    }
}
